#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "base/result.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/kernel/hypervisor_process.hpp"
#include "collector/kernel/procfs.hpp"
#include "collector/kernel/tap.hpp"

namespace hypeman::collector {

/// The kernel files that one instance is measured by: opened when they are needed, kept open until
/// they are dropped. What a reader has been given stays open for as long as it holds it.
/// Thread-safe.
class PinnedFiles {
 public:
  static constexpr unsigned descriptors = 4;  ///< at most: stat and statm, tx_bytes and rx_bytes

  /// Those of the recorded process. Errors as HypervisorProcess::pin().
  [[nodiscard]] Result<std::shared_ptr<const HypervisorProcess>> process(
      const Procfs& procfs, const RecordedProcess& recorded);

  /// Those of the instance's TAP. Errors as Tap::pin().
  [[nodiscard]] Result<std::shared_ptr<const Tap>> tap(int sys, std::string_view instance_id);

  /// Drops what has turned out to be gone, unless it has been replaced since.
  void drop(const std::shared_ptr<const HypervisorProcess>& process);
  void drop(const std::shared_ptr<const Tap>& tap);
  void drop_all();

 private:
  std::mutex mutex_;
  RecordedProcess pinned_as_;
  std::shared_ptr<const HypervisorProcess> process_;
  std::shared_ptr<const Tap> tap_;
};

}  // namespace hypeman::collector
