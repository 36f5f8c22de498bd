#pragma once

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
/// returned object stays valid after close(), as long as the caller holds it. Thread-safe.
class KernelFiles {
 public:
  static constexpr unsigned max_descriptors = 4;  ///< stat and statm, rx_bytes and tx_bytes

  /// The files of the process. Errors as for Process::open().
  [[nodiscard]] Result<std::shared_ptr<const Process>> process(const Procfs& procfs,
                                                               const ProcessIdentity& identity);

  /// The files of the interface. `name` must be the same in every call. Errors as for
  /// NetworkInterface::open().
  [[nodiscard]] Result<std::shared_ptr<const NetworkInterface>> interface(int sys,
                                                                          std::string_view name);

  /// Closes the files of a process or an interface that is gone. Does nothing if another thread has
  /// already opened new files.
  void close(const std::shared_ptr<const Process>& process);
  void close(const std::shared_ptr<const NetworkInterface>& interface);

  void close_all();

 private:
  std::mutex mutex_;
  ProcessIdentity identity_;  // the identity of process_
  std::shared_ptr<const Process> process_;
  std::shared_ptr<const NetworkInterface> interface_;
};

}  // namespace hypeman::collector
