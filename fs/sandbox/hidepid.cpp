#include "fs/sandbox/hidepid.hpp"

#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

#include <mntent.h>

namespace hypeman::fs {
namespace {

struct CloseMounts {
  void operator()(FILE* mounts) const { ::endmntent(mounts); }
};

/// The value of `name=` among the options of a mount.
std::optional<std::string_view> value_of(const mntent& mount, const char* name) {
  const char* const option = ::hasmntopt(&mount, name);
  if (option == nullptr) {
    return std::nullopt;
  }
  std::string_view text{option};
  text = text.substr(0, text.find(','));
  const auto equals = text.find('=');
  return equals == std::string_view::npos ? "" : text.substr(equals + 1);
}

std::optional<gid_t> group_of(const mntent& mount) {
  const auto hidepid = value_of(mount, "hidepid");
  if (!hidepid || *hidepid == "0" || *hidepid == "off") {
    return std::nullopt;
  }
  gid_t gid = 0;
  if (const auto text = value_of(mount, "gid")) {
    std::from_chars(text->data(), text->data() + text->size(), gid);
  }
  return gid;
}

}  // namespace

std::optional<gid_t> group_that_sees_all_processes(const std::string& mounts) {
  const std::unique_ptr<FILE, CloseMounts> table{::setmntent(mounts.c_str(), "re")};
  std::optional<gid_t> group;
  while (table != nullptr) {
    const auto* const mount = ::getmntent(table.get());
    if (mount == nullptr) {
      break;
    }
    // Of several the last one lies on top.
    if (std::string_view{mount->mnt_dir} == "/proc") {
      group = group_of(*mount);
    }
  }
  return group;
}

}  // namespace hypeman::fs
