#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// The fields of /proc/<pid>/stat that this program uses. The field numbers of proc(5) are in
/// brackets.
struct ProcPidStat {
  char state = '?';                    ///< [3] R, S, D, T, Z, X, …
  std::uint64_t major_faults = 0;      ///< [12] majflt, all threads, children excluded
  std::uint64_t user_ticks = 0;        ///< [14] utime, all threads, children excluded
  std::uint64_t system_ticks = 0;      ///< [15] stime, the same
  std::uint64_t start_time_ticks = 0;  ///< [22] starttime, since boot
  std::uint64_t guest_ticks = 0;       ///< [43] guest_time, all threads; a part of user_ticks

  /// False for a zombie or a dead process, whose numbers must not be used.
  [[nodiscard]] bool alive() const { return state != 'Z' && state != 'X' && state != 'x'; }
};

/// Parses /proc/<pid>/stat, or /proc/<pid>/task/<tid>/stat, which counts one thread only.
/// EBADMSG: the text does not have this form.
[[nodiscard]] Result<ProcPidStat> parse_proc_pid_stat(std::string_view text);

/// [2] comm, the name of the process or thread, without the parentheses. Empty if the text has
/// another form.
[[nodiscard]] std::string_view command_name(std::string_view stat);

/// Reads a descriptor of /proc/<pid>/stat once. ESRCH: the process is gone.
[[nodiscard]] Result<ProcPidStat> read_proc_pid_stat(int fd);

}  // namespace hypeman::collector
