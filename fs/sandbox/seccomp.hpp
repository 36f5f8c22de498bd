#pragma once

#include "base/result.hpp"

namespace hypeman::fs {

/// Where the log goes, which decides whether a socket is needed for it.
enum class LogTarget { standard_error, syslog };

/// From now on every system call fails with EPERM but those that answering reads takes: no program
/// can be executed, no process made or signalled, no file opened for writing, no memory made
/// executable, and no socket made but one of the local syslog, where that is the log's target.
/// openat2(2), whose flags a filter cannot see, is left to Landlock. Before the first thread.
[[nodiscard]] Result<void> restrict_system_calls(LogTarget log);

}  // namespace hypeman::fs
