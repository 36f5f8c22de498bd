#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/checker_threads.hpp"

namespace hypeman::collector {

/// The units of the numbers in /proc/<pid>.
struct ProcUnits {
  double ticks_per_second = 0;  ///< for times in stat; sysconf(_SC_CLK_TCK)
  std::uint64_t page_size = 0;  ///< bytes; for sizes in statm; sysconf(_SC_PAGESIZE)
};

/// An opened /proc, with its units and the boot ID, and threads for the reads that can hang.
struct Procfs {
  UniqueFd root;
  std::string boot_id;  ///< /proc/sys/kernel/random/boot_id; empty if it cannot be read
  ProcUnits units;
  std::unique_ptr<CheckerThreads> threads = std::make_unique<CheckerThreads>();

  /// `path` is /proc. In tests it is a directory with the same layout.
  [[nodiscard]] static Result<Procfs> open(const std::string& path);
};

}  // namespace hypeman::collector
