#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// Where the memory of a process is, in bytes.
struct ProcPidMemory {
  std::uint64_t rss_anon_bytes = 0;   ///< "RssAnon:"
  std::uint64_t rss_file_bytes = 0;   ///< "RssFile:"
  std::uint64_t rss_shmem_bytes = 0;  ///< "RssShmem:"
  std::uint64_t swap_bytes = 0;       ///< "VmSwap:"
};

/// The fields of /proc/<pid>/status that this program uses.
struct ProcPidStatus {
  uid_t real_user = 0;                       ///< the first number of "Uid:"
  uid_t effective_user = 0;                  ///< the second number of "Uid:"
  std::optional<ProcPidMemory> memory = {};  ///< nothing: exiting, its memory is released
};

/// The text may be cut off after the line "Uid:", or after the line "VmSwap:" if the memory is
/// needed. EBADMSG: the text does not have the form of /proc/<pid>/status.
[[nodiscard]] Result<ProcPidStatus> parse_proc_pid_status(std::string_view text);

/// Reads a descriptor of /proc/<pid>/status once. ESRCH: the process is gone.
[[nodiscard]] Result<ProcPidStatus> read_proc_pid_status(int fd);

/// ESRCH: the process is gone, or it is exiting and has released its memory. EOVERFLOW: the process
/// is in hundreds of groups, so the text is too long.
[[nodiscard]] Result<ProcPidMemory> read_proc_pid_memory(int fd);

}  // namespace hypeman::collector
