#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/pinned_file.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/proc_pid_status.hpp"
#include "collector/kernel/process_identity.hpp"
#include "collector/kernel/procfs.hpp"
#include "collector/kernel/vcpu_threads.hpp"

namespace hypeman::collector {

/// The /proc files of one process. They are opened when they are needed and stay open. An open file
/// never shows another process, even if the PID is used again. Thread-safe.
class Process {
 public:
  /// `directory` is /proc/<pid>.
  explicit Process(UniqueFd directory) : directory_{std::move(directory)} {}

  /// ESRCH, here and below: the process is gone. A zombie still has this file; check
  /// ProcPidStat::alive().
  [[nodiscard]] Result<ProcPidStat> read_stat() const;

  /// ESRCH: or it is exiting and has released its memory.
  [[nodiscard]] Result<ProcPidStatm> read_statm() const;
  [[nodiscard]] Result<ProcPidMemory> read_memory() const;

  /// As for VcpuThreads::read().
  [[nodiscard]] Result<std::vector<VcpuTimes>> read_vcpus(std::uint64_t count) const {
    return vcpus_.read(directory_.get(), count);
  }

  /// How many files are open.
  [[nodiscard]] std::size_t descriptors() const;

 private:
  const UniqueFd directory_;
  PinnedFile stat_;
  PinnedFile statm_;
  PinnedFile status_;
  VcpuThreads vcpus_;
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
