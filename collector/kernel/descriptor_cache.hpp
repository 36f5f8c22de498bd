#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collector/kernel/kernel_files.hpp"

namespace hypeman::collector {

/// Limits how many VMs keep their kernel files open, because a host may have more VMs than the
/// process may have descriptors. Above the limit it closes the least recently used files. They are
/// opened again when they are needed. Thread-safe.
class DescriptorCache {
 public:
  /// At most `vms` VMs keep their files open. 0 means 1.
  explicit DescriptorCache(std::size_t vms);

  /// The number of VMs whose files fit into the limit of open files (RLIMIT_NOFILE).
  [[nodiscard]] static std::size_t vms_within_limit();

  /// Call this after each use of the files. If it came before, another thread could close the files
  /// too early, and they would then be open without being counted.
  void use(const std::shared_ptr<KernelFiles>& files);

  /// Closes the files and forgets them.
  void remove(KernelFiles& files);

 private:
  using ByUse = std::list<std::shared_ptr<KernelFiles>>;

  const std::size_t limit_;
  std::mutex mutex_;
  ByUse by_use_;  // the most recently used first
  std::unordered_map<const KernelFiles*, ByUse::iterator> position_;
};

}  // namespace hypeman::collector
