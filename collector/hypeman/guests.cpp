#include "collector/hypeman/guests.hpp"

#include <algorithm>
#include <system_error>

#include <dirent.h>

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/instance_names.hpp"

namespace hypeman::collector {
namespace {

constexpr auto guests = "guests";

}  // namespace

Result<UniqueFd> open_guests(int data_dir) {
  return open_directory_at(data_dir, guests);
}

Result<std::vector<GuestDirectory>> list_guests(int data_dir) {
  std::vector<GuestDirectory> found;
  const auto listed =
      for_each_entry(data_dir, guests, [&](std::string_view name, unsigned char type) {
        if ((type == DT_DIR || type == DT_UNKNOWN) && is_instance_id(name)) {
          found.push_back({.id = std::string{name}, .is_directory = type == DT_DIR});
        }
        return true;
      });
  if (!listed && listed.error() != std::errc::no_such_file_or_directory) {
    return tl::unexpected{listed.error()};
  }
  std::ranges::sort(found, {}, &GuestDirectory::id);
  return found;
}

std::string guest_path(std::string_view id) {
  return std::string{guests} + "/" + std::string{id};
}

bool is_renamed_for_fork(int data_dir, std::string_view id) {
  const auto prefix = std::string{id} + ".fork-bak.";
  bool found = false;
  const auto listed =
      for_each_entry(data_dir, guests, [&](std::string_view name, unsigned char /*type*/) {
        found = name.starts_with(prefix);
        return !found;
      });
  return found || (!listed && listed.error() != std::errc::no_such_file_or_directory);
}

}  // namespace hypeman::collector
