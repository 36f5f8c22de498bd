#pragma once

#include <memory>
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
  Process(UniqueFd stat, UniqueFd statm) : stat_{std::move(stat)}, statm_{std::move(statm)} {}

  /// ESRCH: the process is gone. A zombie still has this file; check ProcPidStat::alive().
  [[nodiscard]] Result<ProcPidStat> read_stat() const { return read_proc_pid_stat(stat_.get()); }

  /// ESRCH: the process is gone, or it is exiting and has released its memory.
  [[nodiscard]] Result<ProcPidStatm> read_statm() const {
    return read_proc_pid_statm(statm_.get());
  }

 private:
  UniqueFd stat_;
  UniqueFd statm_;
};

/// A process that passes all checks of an identity except the check of its command line. That check
/// is separate, because only it can hang in the kernel.
class Candidate {
 public:
  /// Opens the files of the PID and checks what is known of its start time and the boot ID, which
  /// must match. If one of them is unknown, the process must run as root or as the owner, and its
  /// command line must be checked. ESRCH: there is no such process.
  [[nodiscard]] static Result<Candidate> open(const Procfs& procfs,
                                              const ProcessIdentity& identity);

  /// Use it only if check_command_line() succeeds or is not needed.
  [[nodiscard]] const std::shared_ptr<const Process>& process() const { return process_; }

  [[nodiscard]] bool needs_check() const { return static_cast<bool>(command_line_); }

  /// Reads the command line. It must not name the socket of another VM. If the start time or the
  /// boot ID is unknown, it must name the VM's socket. ESRCH: it is another process. Can hang. Call
  /// it once.
  [[nodiscard]] Result<void> check_command_line(const ProcessIdentity& identity);

 private:
  Candidate() = default;

  std::shared_ptr<const Process> process_;
  UniqueFd command_line_;  // empty: nothing to check
  bool must_name_the_socket_ = true;
};

}  // namespace hypeman::collector
