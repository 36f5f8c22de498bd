#include "fs/sandbox/hidepid.hpp"

#include <cstdio>
#include <memory>
#include <string_view>

#include <mntent.h>

#include "base/decimal.hpp"

namespace hypeman::fs {
namespace {

struct CloseMountTable {
  void operator()(FILE* mounts) const { ::endmntent(mounts); }
};

/// The value of the mount option `name=`.
std::optional<std::string_view> option_value(const mntent& mount, const char* name) {
  const char* const option = ::hasmntopt(&mount, name);
  if (option == nullptr) {
    return std::nullopt;
  }
  std::string_view text{option};
  text = text.substr(0, text.find(','));
  const auto equals = text.find('=');
  return equals == std::string_view::npos ? "" : text.substr(equals + 1);
}

std::optional<gid_t> exempt_group(const mntent& mount) {
  const auto hidepid = option_value(mount, "hidepid");
  if (!hidepid || *hidepid == "0" || *hidepid == "off") {
    return std::nullopt;
  }
  return parse_decimal<gid_t>(option_value(mount, "gid").value_or("")).value_or(0);
}

}  // namespace

std::optional<gid_t> hidepid_exempt_group(const std::string& mounts) {
  const std::unique_ptr<FILE, CloseMountTable> table{::setmntent(mounts.c_str(), "re")};
  std::optional<gid_t> group;
  while (table != nullptr) {
    const auto* const mount = ::getmntent(table.get());
    if (mount == nullptr) {
      break;
    }
    // If several file systems are mounted on /proc, the last one is visible.
    if (std::string_view{mount->mnt_dir} == "/proc") {
      group = exempt_group(*mount);
    }
  }
  return group;
}

}  // namespace hypeman::fs
