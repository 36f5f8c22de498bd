#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// /proc/<pid>/task/<tid>/schedstat: what the scheduler counts for one thread. The field numbers
/// are in brackets.
struct ProcPidSchedstat {
  std::uint64_t run_nanoseconds = 0;   ///< [1] on a CPU
  std::uint64_t wait_nanoseconds = 0;  ///< [2] ready to run, without a CPU
};

/// EBADMSG: the text does not have the form of schedstat. ENODATA: the kernel does not count.
[[nodiscard]] Result<ProcPidSchedstat> parse_proc_pid_schedstat(std::string_view text);

/// Reads a descriptor of schedstat once. ESRCH: the thread is gone.
[[nodiscard]] Result<ProcPidSchedstat> read_proc_pid_schedstat(int fd);

}  // namespace hypeman::collector
