#pragma once

#include "base/result.hpp"

namespace hypeman::fs {

/// Where the log goes. Only syslog(3) needs a socket.
enum class LogTarget { standard_error, syslog };

/// Restricts this process to the system calls that it needs to answer reads. All others fail with
/// EPERM. The process cannot execute programs, create or signal other processes, open files for
/// writing, or make memory executable. It can create a socket only for syslog(3), and only if that
/// is the target of the log. With `io_uring`, it can use the rings that it has, but cannot make or
/// change one: a filter does not see what a ring does, so each ring must be restricted itself. A
/// filter cannot check the flags of openat2(2), so Landlock must. Call this before the first thread
/// starts.
[[nodiscard]] Result<void> restrict_system_calls(LogTarget log, bool io_uring);

}  // namespace hypeman::fs
