#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// What we use of /proc/<pid>/statm (proc(5), field numbers in brackets).
struct ProcPidStatm {
  std::uint64_t size_pages = 0;      ///< [1] virtual memory
  std::uint64_t resident_pages = 0;  ///< [2] resident set
};

/// EBADMSG if the text has not the form of /proc/<pid>/statm.
[[nodiscard]] Result<ProcPidStatm> parse_proc_pid_statm(std::string_view text);

/// One snapshot through a descriptor of /proc/<pid>/statm. ESRCH once the process is gone, and
/// already when it is exiting and has given its memory back, which the kernel shows as size 0.
[[nodiscard]] Result<ProcPidStatm> read_proc_pid_statm(int fd);

}  // namespace hypeman::collector
