#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace hypeman::collector {

/// Identifies one process. The PID is not sufficient: the kernel can give it to another process
/// when this one has ended.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time_ticks = 0;  ///< field 22 of /proc/<pid>/stat; 0: unknown
  std::string boot_id;                 ///< /proc/sys/kernel/random/boot_id; empty: unknown
  std::string socket_path;             ///< a part of its command line; empty: unknown
  uid_t owner = 0;                     ///< it runs as this user or as root

  bool operator==(const ProcessIdentity&) const = default;
};

}  // namespace hypeman::collector
