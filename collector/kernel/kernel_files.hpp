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

/// The kernel files of one VM. A file is opened when it is needed and kept open until close(). A
/// caller may keep what it was given: it stays open as long as the caller holds it. Thread-safe.
class KernelFiles {
 public:
  static constexpr unsigned max_descriptors = 4;  ///< stat and statm, rx_bytes and tx_bytes

  /// The files of that process. Errors as Process::open().
  [[nodiscard]] Result<std::shared_ptr<const Process>> process(const Procfs& procfs,
                                                               const ProcessIdentity& identity);

  /// The files of the interface. It has the same name in every call. Errors as
  /// NetworkInterface::open().
  [[nodiscard]] Result<std::shared_ptr<const NetworkInterface>> interface(int sys,
                                                                          std::string_view name);

  /// Closes the files of a process or an interface that is gone. Does nothing if another thread has
  /// opened new ones already.
  void close(const std::shared_ptr<const Process>& process);
  void close(const std::shared_ptr<const NetworkInterface>& interface);

  void close_all();

 private:
  std::mutex mutex_;
  ProcessIdentity identity_;  // of process_
  std::shared_ptr<const Process> process_;
  std::shared_ptr<const NetworkInterface> interface_;
};

}  // namespace hypeman::collector
