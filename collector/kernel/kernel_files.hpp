#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/result.hpp"
#include "collector/kernel/process.hpp"
#include "collector/kernel/process_identity.hpp"
#include "collector/kernel/procfs.hpp"
#include "collector/kernel/sys_class_net.hpp"

namespace hypeman::collector {

/// The kernel files of one VM. A file is opened when it is needed and stays open until close(). A
/// returned object stays valid after close(), as long as the caller holds it. Thread-safe. No lock
/// is held while a kernel file is opened or read. Create it with std::make_shared().
class KernelFiles : public std::enable_shared_from_this<KernelFiles> {
 public:
  /// How long a caller waits for the check of a command line. A usual one takes microseconds.
  static constexpr std::chrono::milliseconds check_deadline{250};

  /// The files of the process. Errors as for Candidate::open() and check_command_line(), and:
  /// ETIMEDOUT: the check of the command line takes longer than check_deadline. It goes on, and
  /// until it ends, further calls do not wait. EAGAIN: there is no thread for the check.
  [[nodiscard]] Result<std::shared_ptr<const Process>> process(const Procfs& procfs,
                                                               const ProcessIdentity& identity);

  /// Whether the files of this process are open, so that process() does not wait. Makes no system
  /// call.
  [[nodiscard]] bool has_process(const ProcessIdentity& identity) const;

  /// The files of the interface. `name` must be the same in every call. Errors as for
  /// NetworkInterface::open().
  [[nodiscard]] Result<std::shared_ptr<const NetworkInterface>> interface(int sys,
                                                                          std::string_view name);

  /// Closes the files of a process or an interface that is gone. Does nothing if another thread has
  /// already opened new files.
  void close(const std::shared_ptr<const Process>& process);
  void close(const std::shared_ptr<const NetworkInterface>& interface);

  void close_all();

  /// How many files are open.
  [[nodiscard]] std::size_t descriptors() const;

 private:
  struct Check;

  [[nodiscard]] bool has_process_locked(const ProcessIdentity& identity) const {
    return process_ != nullptr && identity_ == identity;
  }
  void finish(std::shared_ptr<Check> check, const Result<void>& result);

  mutable std::mutex mutex_;
  std::condition_variable checked_;
  std::shared_ptr<Check> check_;  // the one that runs; null: none
  ProcessIdentity identity_;      // the identity of process_
  std::shared_ptr<const Process> process_;
  std::shared_ptr<const NetworkInterface> interface_;
};

}  // namespace hypeman::collector
