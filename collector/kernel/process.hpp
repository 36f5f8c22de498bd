#pragma once

#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/process_identity.hpp"
#include "collector/kernel/procfs.hpp"

namespace hypeman::collector {

/// One process through open files of its /proc directory. The kernel never lets such a file show
/// another process, even if that one gets the same PID. Thread-safe.
class Process {
 public:
  /// Opens the files of the PID and checks that it is the process that is meant: each known part of
  /// the identity must agree. If the start time or the boot ID is unknown, the command line must
  /// hold the socket path. ESRCH: that process does not run (any more).
  [[nodiscard]] static Result<Process> open(const Procfs& procfs, const ProcessIdentity& identity);

  /// ESRCH: the process is gone. A zombie still has this file: see ProcPidStat::alive().
  [[nodiscard]] Result<ProcPidStat> read_stat() const { return read_proc_pid_stat(stat_.get()); }

  /// ESRCH: the process is gone, or it is exiting and has released its memory.
  [[nodiscard]] Result<ProcPidStatm> read_statm() const {
    return read_proc_pid_statm(statm_.get());
  }

 private:
  Process(UniqueFd stat, UniqueFd statm) : stat_{std::move(stat)}, statm_{std::move(statm)} {}

  UniqueFd stat_;
  UniqueFd statm_;
};

}  // namespace hypeman::collector
