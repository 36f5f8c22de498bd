#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// What we use of /proc/<pid>/stat (proc(5), field numbers in brackets).
struct ProcPidStat {
  char state = '?';                    ///< [3] R, S, D, T, Z, X, …
  std::uint64_t user_ticks = 0;        ///< [14] utime, all threads, children excluded
  std::uint64_t system_ticks = 0;      ///< [15] stime, likewise
  std::uint64_t start_time_ticks = 0;  ///< [22] starttime, since boot

  /// A zombie's or dead process's numbers are nobody's any more.
  [[nodiscard]] bool alive() const { return state != 'Z' && state != 'X' && state != 'x'; }
};

/// EBADMSG if the text has not the form of /proc/<pid>/stat.
[[nodiscard]] Result<ProcPidStat> parse_proc_pid_stat(std::string_view text);

/// One snapshot through a descriptor of /proc/<pid>/stat. ESRCH once the process is gone.
[[nodiscard]] Result<ProcPidStat> read_proc_pid_stat(int fd);

}  // namespace hypeman::collector
