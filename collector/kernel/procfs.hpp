#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::collector {

/// /proc, and the two facts about the running kernel that its numbers cannot be read without.
struct Procfs {
  UniqueFd root;
  std::string boot_id;          ///< /proc/sys/kernel/random/boot_id; empty if it cannot be read
  double ticks_per_second = 0;  ///< of the times in /proc/<pid>/stat: sysconf(_SC_CLK_TCK)
  std::uint64_t page_size = 0;  ///< bytes, of the counts in statm: sysconf(_SC_PAGESIZE)

  /// `path` is /proc, or in tests another directory of its shape.
  [[nodiscard]] static Result<Procfs> open(const std::string& path);
};

}  // namespace hypeman::collector
