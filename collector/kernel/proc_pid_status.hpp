#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// The fields of /proc/<pid>/status that this program uses.
struct ProcPidStatus {
  uid_t real_user = 0;       ///< the first number of "Uid:"
  uid_t effective_user = 0;  ///< the second number of "Uid:"
};

/// Parses the beginning of the text, which may be cut off after the line "Uid:". EBADMSG: the text
/// does not have the form of /proc/<pid>/status.
[[nodiscard]] Result<ProcPidStatus> parse_proc_pid_status(std::string_view text);

/// Reads a descriptor of /proc/<pid>/status once. ESRCH: the process is gone.
[[nodiscard]] Result<ProcPidStatus> read_proc_pid_status(int fd);

}  // namespace hypeman::collector
