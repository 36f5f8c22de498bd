#include "collector/hypeman/metadata_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "base/directory.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

constexpr std::size_t max_metadata_bytes = std::size_t{1} << 20;

bool equal(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// ELOOP if `path` is a symlink, which must not be followed even if only to look: it may lead to a
/// file system that does not answer. 0 if it is something else; otherwise why it cannot be told.
/// readlink(2) is the cheapest call that tells.
int symlink_error(int directory, const std::string& path) {
  char target = 0;
  if (::readlinkat(directory, path.c_str(), &target, sizeof target) >= 0) {
    return ELOOP;
  }
  return errno == EINVAL ? 0 : errno;
}

}  // namespace

MetadataFile::Signature::Signature(const struct stat& status)
    : device{status.st_dev},
      inode{status.st_ino},
      size{status.st_size},
      modified{status.st_mtim},
      changed{status.st_ctim} {}

bool MetadataFile::Signature::operator==(const Signature& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         equal(modified, other.modified) && equal(changed, other.changed);
}

/// Whether a further write is certain to show in the signature: file times are as coarse as a
/// timer tick, on some file systems two seconds, so a file that has just been written may be
/// written again without a visible change.
bool MetadataFile::Signature::settled() const {
  constexpr time_t coarsest_file_time = 2;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec - changed.tv_sec > coarsest_file_time;
}

struct MetadataFile::Reading {
  Signature signature;
  tl::expected<Metadata, std::string> metadata;
};

MetadataFile::MetadataFile(const Host& host, std::string id)
    : host_{host},
      id_{std::move(id)},
      directory_{"guests/" + id_},
      path_{directory_ + "/metadata.json"} {}

Result<std::shared_ptr<const Metadata>> MetadataFile::current(Directory directory) {
  int error = directory == Directory::seen ? 0 : symlink_error(host_.data_dir.get(), directory_);
  struct stat status {};
  if (error == 0 &&
      ::fstatat(host_.data_dir.get(), path_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    error = errno;
  }
  const bool found = error == 0;

  const std::lock_guard lock{mutex_};
  if (found && reuse_ && Signature{status} == signature_) {
    return known();
  }
  if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
    return absent();
  }
  if (found && !S_ISREG(status.st_mode)) {
    // Not even opened: to open a device may already do something.
    signature_ = Signature{status};
    reuse_ = signature_.settled();
    report("is not a regular file");
    return known();
  }
  return reload();
}

Result<std::shared_ptr<const Metadata>> MetadataFile::known() const {
  if (last_good_ == nullptr || last_good_->pending_delete) {
    return failure(EBADMSG);
  }
  return last_good_;
}

Result<std::shared_ptr<const Metadata>> MetadataFile::absent() {
  reuse_ = false;
  if (last_good_ != nullptr && renamed_for_fork()) {
    return known();
  }
  last_good_ = nullptr;
  return failure(ENOENT);
}

Result<std::shared_ptr<const Metadata>> MetadataFile::reload() {
  reuse_ = false;
  auto reading = read_file();
  if (!reading) {
    const auto error = reading.error();
    if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
        error == std::errc::too_many_symbolic_link_levels) {
      return absent();
    }
    report("cannot be read: " + error.message());
    if (last_good_ == nullptr) {
      return tl::unexpected{error};
    }
    return known();
  }
  signature_ = reading->signature;
  reuse_ = signature_.settled();
  if (!reading->metadata) {
    report(reading->metadata.error());
  } else if (reading->metadata->id == id_) {
    // The same metadata read again stays the same object, by which others know it.
    if (last_good_ == nullptr || *last_good_ != *reading->metadata) {
      last_good_ = std::make_shared<const Metadata>(*std::move(reading->metadata));
    }
    reported_ = false;
  }
  // The file of another instance is neither news nor an error: a fork leaves it for a moment.
  return known();
}

Result<MetadataFile::Reading> MetadataFile::read_file() const {
  // That "guests" is a symlink is the operator's choice; what is in it is not.
  const auto guests = open_directory_at(host_.data_dir.get(), "guests");
  if (!guests) {
    return tl::unexpected{guests.error()};
  }
  const auto fd = open_beneath(guests->get(), (id_ + "/metadata.json").c_str());
  if (!fd) {
    return tl::unexpected{fd.error()};
  }
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) {
    return last_failure();
  }
  Reading reading{.signature = Signature{status}, .metadata = {}};
  if (!S_ISREG(status.st_mode)) {
    reading.metadata = tl::unexpected{std::string{"is not a regular file"}};
    return reading;
  }
  const auto text = read_whole(fd->get(), max_metadata_bytes);
  if (text) {
    reading.metadata = parse_metadata(*text);
    return reading;
  }
  if (text.error() == std::errc::file_too_large) {
    reading.metadata = tl::unexpected{std::string{"is larger than 1 MiB"}};
    return reading;
  }
  return tl::unexpected{text.error()};
}

/// Whether the directory stands under the name that a Firecracker fork gives it for a moment.
bool MetadataFile::renamed_for_fork() const {
  const auto prefix = id_ + ".fork-bak.";
  bool found = false;
  const auto listed =
      for_each_entry(host_.data_dir.get(), "guests", [&](std::string_view name, unsigned char) {
        found = name.starts_with(prefix);
        return !found;
      });
  // A directory that cannot be listed is no proof that the instance has been deleted.
  return found || (!listed && listed.error() != std::errc::no_such_file_or_directory);
}

void MetadataFile::report(const std::string& problem) {
  if (!std::exchange(reported_, true)) {
    host_.logger->warn(
        "instance {}: {} {}{}", id_, path_, problem,
        last_good_ == nullptr ? "; the instance is not shown" : "; its last good form is used");
  }
}

}  // namespace hypeman::collector
