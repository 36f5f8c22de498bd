#include "collector/hypeman/metadata_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include <tl/expected.hpp>

#include "base/file.hpp"
#include "collector/hypeman/guests.hpp"

namespace hypeman::collector {
namespace {

constexpr std::size_t max_metadata_bytes = std::size_t{1} << 20;
constexpr auto file_name = "/metadata.json";
constexpr auto not_regular = "is not a regular file";

/// Returns ELOOP if `path` is a symlink, and 0 if it is something else. Any other errno means that
/// this is unknown. A symlink may lead to a file system that hangs, so no call may follow it, not
/// even stat(2). readlink(2) is the cheapest call for this check.
int symlink_error(const std::string& path) {
  char target = 0;
  if (::readlinkat(AT_FDCWD, path.c_str(), &target, sizeof target) >= 0) {
    return ELOOP;
  }
  return errno == EINVAL ? 0 : errno;
}

bool is_absence(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

}  // namespace

std::time_t seconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec;
}

MetadataFile::Signature MetadataFile::signature_of(const struct stat& status) {
  return {static_cast<std::int64_t>(status.st_dev),
          static_cast<std::int64_t>(status.st_ino),
          status.st_size,
          status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

struct MetadataFile::Reading {
  struct stat status {};
  tl::expected<Metadata, std::string> metadata;
};

MetadataFile::MetadataFile(const Guests& guests, spdlog::logger& logger, const SecondsClock& clock,
                           std::string id)
    : guests_{guests},
      logger_{logger},
      clock_{clock},
      id_{std::move(id)},
      directory_{guests.path_of(id_)},
      path_{directory_ + file_name} {}

std::shared_ptr<const VmRecord> MetadataFile::last_record() const {
  const std::lock_guard lock{mutex_};
  return record_;
}

Result<std::shared_ptr<const VmRecord>> MetadataFile::read(GuestDirectory::Kind kind) {
  if (kind == GuestDirectory::Kind::renamed) {
    {
      const std::lock_guard lock{mutex_};
      if (record_ != nullptr) {
        return last_good();
      }
    }
    return absent(ELOOP);
  }
  int error = kind == GuestDirectory::Kind::directory ? 0 : symlink_error(directory_);
  struct stat status {};
  if (error == 0 && ::lstat(path_.c_str(), &status) != 0) {
    error = errno;
  }
  if (is_absence(error)) {
    return absent(error);
  }
  if (error != 0) {
    return reload();
  }
  {
    const std::lock_guard lock{mutex_};
    if (unchanged_if_equal_ && signature_of(status) == signature_) {
      return last_good();
    }
  }
  if (!S_ISREG(status.st_mode)) {
    // Does not open the file, because the open itself may have an effect on a device.
    return publish(begin(),
                   {.status = status, .metadata = tl::unexpected{std::string{not_regular}}});
  }
  return reload();
}

Result<std::shared_ptr<const VmRecord>> MetadataFile::last_good() const {
  if (record_ == nullptr || pending_delete_) {
    return failure(EBADMSG);
  }
  return record_;
}

std::uint64_t MetadataFile::begin() {
  const std::lock_guard lock{mutex_};
  return ++begun_;
}

/// The directory is not at its place. `error` is ELOOP if a symlink is there, as while a fork goes
/// on.
Result<std::shared_ptr<const VmRecord>> MetadataFile::absent(int error) {
  const auto number = begin();
  // To look for a renamed directory takes a listing. IDs that nobody knows must not cost one,
  // because everybody can ask for them.
  if (error != ELOOP && last_record() == nullptr) {
    return forget(number);
  }
  auto reading = guests_.directory_of(id_, clock_()).and_then([this](const std::string& directory) {
    return read_file(directory);
  });
  if (!reading && is_absence(reading.error().value())) {
    reading = read_file(id_);  // the fork may have ended in the meantime
  }
  if (reading) {
    return publish(number, *std::move(reading));
  }
  return is_absence(reading.error().value()) ? forget(number) : unreadable(reading.error());
}

Result<std::shared_ptr<const VmRecord>> MetadataFile::reload() {
  const auto number = begin();
  auto reading = read_file(id_);
  if (reading) {
    return publish(number, *std::move(reading));
  }
  const auto error = reading.error();
  return is_absence(error.value()) ? absent(error.value()) : unreadable(error);
}

Result<std::shared_ptr<const VmRecord>> MetadataFile::unreadable(std::error_code error) {
  std::string message;
  Result<std::shared_ptr<const VmRecord>> result = tl::unexpected{error};
  {
    const std::lock_guard lock{mutex_};
    unchanged_if_equal_ = false;
    message = message_once("cannot be read: " + error.message());
    if (record_ != nullptr) {
      result = last_good();
    }
  }
  log(message);
  return result;
}

Result<std::shared_ptr<const VmRecord>> MetadataFile::forget(std::uint64_t number) {
  const std::lock_guard lock{mutex_};
  if (number < applied_ && record_ != nullptr) {
    return last_good();
  }
  applied_ = std::max(applied_, number);
  unchanged_if_equal_ = false;
  record_ = nullptr;
  return failure(ENOENT);
}

/// If a reading that began later has been published, this one may be older, and changes nothing.
Result<std::shared_ptr<const VmRecord>> MetadataFile::publish(std::uint64_t number,
                                                              Reading reading) {
  std::string message;
  std::unique_lock lock{mutex_};
  if (number < applied_) {
    return last_good();
  }
  applied_ = number;
  signature_ = signature_of(reading.status);
  unchanged_if_equal_ = clock_() - reading.status.st_ctim.tv_sec > coarsest_file_time;
  if (!reading.metadata) {
    message = message_once(reading.metadata.error());
  } else if (auto& metadata = *reading.metadata; metadata.record.id == id_) {
    pending_delete_ = metadata.pending_delete;
    // Keeps the old object if the record is equal, because others compare the pointers.
    if (record_ == nullptr || *record_ != metadata.record) {
      record_ = std::make_shared<const VmRecord>(std::move(metadata.record));
    }
    logged_ = false;
  }
  // The file of another instance is not an error: a fork leaves it there for a moment.
  auto result = last_good();
  lock.unlock();
  log(message);
  return result;
}

Result<MetadataFile::Reading> MetadataFile::read_file(const std::string& directory_name) const {
  const auto guests = guests_.open();
  if (!guests) {
    return tl::unexpected{guests.error()};
  }
  const auto fd = open_beneath(guests->get(), (directory_name + file_name).c_str());
  if (!fd) {
    return tl::unexpected{fd.error()};
  }
  struct stat directory {};
  Reading reading;
  if (::fstatat(guests->get(), directory_name.c_str(), &directory, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fstat(fd->get(), &reading.status) != 0) {
    return last_failure();
  }
  if (!S_ISREG(reading.status.st_mode)) {
    reading.metadata = tl::unexpected{std::string{not_regular}};
    return reading;
  }
  const auto text = read_whole(fd->get(), max_metadata_bytes);
  if (text) {
    reading.metadata = parse_metadata(*text);
    if (reading.metadata && reading.metadata->record.process) {
      reading.metadata->record.process->owner = directory.st_uid;
    }
    return reading;
  }
  if (text.error() == std::errc::file_too_large) {
    reading.metadata = tl::unexpected{std::string{"is larger than 1 MiB"}};
    return reading;
  }
  return tl::unexpected{text.error()};
}

/// Empty if a problem of this file has been logged already.
std::string MetadataFile::message_once(const std::string& problem) {
  if (std::exchange(logged_, true)) {
    return {};
  }
  return "instance " + id_ + ": " + path_ + " " + problem +
         (record_ == nullptr ? "; the instance is not shown" : "; its last good content is used");
}

void MetadataFile::log(const std::string& message) const {
  if (!message.empty()) {
    logger_.warn("{}", message);
  }
}

}  // namespace hypeman::collector
