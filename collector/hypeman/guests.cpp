#include "collector/hypeman/guests.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <tuple>

#include <dirent.h>

#include "base/decimal.hpp"
#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/instance_names.hpp"

namespace hypeman::collector {
namespace {

/// A fork renames a directory for less than a second. After this time the renamed directory is left
/// over from a fork that failed.
constexpr std::int64_t max_fork_seconds = 60;

/// The ID in the name of a directory that a fork has renamed a short time ago.
std::optional<std::string_view> renamed_id(std::string_view name, std::time_t now) {
  constexpr std::string_view separator = ".fork-bak.";
  constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
  const auto end = name.find(separator);
  if (end == std::string_view::npos || !is_instance_id(name.substr(0, end))) {
    return std::nullopt;
  }
  const auto renamed_at = parse_decimal<std::int64_t>(name.substr(end + separator.size()));
  if (!renamed_at || std::abs(now - *renamed_at / nanoseconds_per_second) > max_fork_seconds) {
    return std::nullopt;
  }
  return name.substr(0, end);
}

}  // namespace

std::string Guests::path_of(std::string_view id) const {
  return std::string{path_}.append("/").append(id);
}

bool Guests::has(std::string_view id) const {
  struct stat status {};
  return ::lstat(path_of(id).c_str(), &status) == 0 || errno != ENOENT;
}

Result<UniqueFd> Guests::open() const {
  return open_directory(path_);
}

std::optional<Guests::Version> Guests::version(std::time_t now) const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0 || now - status.st_ctim.tv_sec <= coarsest_file_time) {
    return std::nullopt;
  }
  return Version{static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
                 status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

Result<std::vector<GuestDirectory>> Guests::list(std::time_t now) const {
  using Kind = GuestDirectory::Kind;
  std::vector<GuestDirectory> found;
  const auto listed =
      for_each_entry(AT_FDCWD, path_.c_str(), [&](std::string_view name, unsigned char type) {
        if (type != DT_DIR && type != DT_UNKNOWN) {
          return true;
        }
        if (is_instance_id(name)) {
          found.push_back(
              {.id = std::string{name}, .kind = type == DT_DIR ? Kind::directory : Kind::unknown});
        } else if (const auto id = renamed_id(name, now)) {
          found.push_back({.id = std::string{*id}, .kind = Kind::renamed});
        }
        return true;
      });
  if (!listed && listed.error() != std::errc::no_such_file_or_directory) {
    return tl::unexpected{listed.error()};
  }
  std::ranges::sort(found, {}, [](const auto& one) { return std::tie(one.id, one.kind); });
  const auto is_same = [](const auto& a, const auto& b) { return a.id == b.id; };
  found.erase(std::unique(found.begin(), found.end(), is_same), found.end());
  return found;
}

Result<std::string> Guests::directory_of(std::string_view id, std::time_t now) const {
  // readlink(2) follows no symlink and is the cheapest call that tells one from a directory.
  char target = 0;
  const bool is_link = ::readlinkat(AT_FDCWD, path_of(id).c_str(), &target, sizeof target) >= 0;
  if (!is_link && errno == EINVAL) {
    return std::string{id};
  }
  if (!is_link && errno != ENOENT) {
    return last_failure();
  }
  std::string found;
  const auto listed =
      for_each_entry(AT_FDCWD, path_.c_str(), [&](std::string_view name, unsigned char type) {
        if (type != DT_LNK && renamed_id(name, now) == id) {
          found = name;
        }
        return found.empty();
      });
  if (!listed) {
    return tl::unexpected{listed.error()};
  }
  return found.empty() ? Result<std::string>{failure(ENOENT)} : found;
}

}  // namespace hypeman::collector
