#pragma once

#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/process_identity.hpp"
#include "collector/kernel/procfs.hpp"

namespace hypeman::collector {

/// The open /proc files of one process. An open file never shows another process, even if the PID
/// is used again. Thread-safe.
class Process {
 public:
  /// Opens the files of the PID and checks that the process has the given identity. Every known
  /// part must match. If the start time or the boot ID is unknown, the command line must contain
  /// the socket path. ESRCH: there is no such process.
  [[nodiscard]] static Result<Process> open(const Procfs& procfs, const ProcessIdentity& identity);

  /// ESRCH: the process is gone. A zombie still has this file; check ProcPidStat::alive().
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
