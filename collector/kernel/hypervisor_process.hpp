#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/procfs.hpp"

namespace hypeman::collector {

/// The one process that Hypeman meant, through pinned descriptors: the kernel never lets them
/// turn into another process of the same PID. Thread-safe.
class HypervisorProcess {
 public:
  /// Opens the recorded PID's files and insists that it is the recorded process: everything that
  /// was recorded of start time and boot must agree, and unless both were, the command line must
  /// name the instance's socket. ESRCH: that process is not running (any more).
  [[nodiscard]] static Result<HypervisorProcess> pin(const Procfs& procfs,
                                                     const RecordedProcess& recorded);

  /// ESRCH once the process is gone; a zombie is still there and has to be asked for.
  [[nodiscard]] Result<ProcPidStat> read_stat() const { return read_proc_pid_stat(stat_.get()); }

  /// ESRCH once the process is gone or has given its memory back.
  [[nodiscard]] Result<ProcPidStatm> read_statm() const {
    return read_proc_pid_statm(statm_.get());
  }

 private:
  HypervisorProcess(UniqueFd stat, UniqueFd statm)
      : stat_{std::move(stat)}, statm_{std::move(statm)} {}

  UniqueFd stat_;
  UniqueFd statm_;
};

}  // namespace hypeman::collector
