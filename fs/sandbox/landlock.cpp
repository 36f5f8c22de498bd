#include "fs/sandbox/landlock.hpp"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.hpp"

namespace hypeman::fs {
namespace {

// Constants that the header of Linux 6.1 (Debian 12) does not have yet.
constexpr std::uint64_t access_fs_truncate = 1U << 14U;         // LANDLOCK_ACCESS_FS_TRUNCATE
constexpr std::uint64_t access_fs_ioctl_dev = 1U << 15U;        // LANDLOCK_ACCESS_FS_IOCTL_DEV
constexpr std::uint64_t access_net_bind_tcp = 1U << 0U;         // LANDLOCK_ACCESS_NET_BIND_TCP
constexpr std::uint64_t access_net_connect_tcp = 1U << 1U;      // LANDLOCK_ACCESS_NET_CONNECT_TCP
constexpr std::uint64_t scope_abstract_unix_socket = 1U << 0U;  // LANDLOCK_SCOPE_…
constexpr std::uint64_t scope_signal = 1U << 1U;                // LANDLOCK_SCOPE_SIGNAL

/// struct landlock_ruleset_attr of ABI 6. An older kernel accepts it if the members that it does
/// not know are 0.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

/// All rights that a kernel with this ABI version can restrict.
RulesetAttributes all_rights(long abi) {
  constexpr std::uint64_t first_abi = 2 * LANDLOCK_ACCESS_FS_MAKE_SYM - 1;
  RulesetAttributes attributes{.handled_access_fs = first_abi};
  if (abi >= 2) {
    attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  }
  if (abi >= 3) {
    attributes.handled_access_fs |= access_fs_truncate;
  }
  if (abi >= 4) {
    attributes.handled_access_net = access_net_bind_tcp | access_net_connect_tcp;
  }
  if (abi >= 5) {
    attributes.handled_access_fs |= access_fs_ioctl_dev;
  }
  if (abi >= 6) {
    attributes.scoped = scope_abstract_unix_socket | scope_signal;
  }
  return attributes;
}

}  // namespace

Result<void> restrict_file_access(std::span<const int> readable) {
  const auto abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) {
    return last_failure();
  }
  const auto attributes = all_rights(abi);
  const UniqueFd ruleset{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0))};
  if (!ruleset) {
    return last_failure();
  }
  for (const int directory : readable) {
    const landlock_path_beneath_attr rule{
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = directory};
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) !=
        0) {
      return last_failure();
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return last_failure();
  }
  return {};
}

}  // namespace hypeman::fs
