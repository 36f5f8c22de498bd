#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// The fields of /proc/<pid>/statm that this program uses. The field numbers of proc(5) are in
/// brackets.
struct ProcPidStatm {
  std::uint64_t size_pages = 0;      ///< [1] virtual memory
  std::uint64_t resident_pages = 0;  ///< [2] resident set
};

/// EBADMSG: the text does not have the form of /proc/<pid>/statm.
[[nodiscard]] Result<ProcPidStatm> parse_proc_pid_statm(std::string_view text);

/// Reads a descriptor of /proc/<pid>/statm once. ESRCH: the process is gone, or it is exiting and
/// has released its memory, which the kernel shows as size 0.
[[nodiscard]] Result<ProcPidStatm> read_proc_pid_statm(int fd);

}  // namespace hypeman::collector
