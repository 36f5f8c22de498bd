#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collector/kernel/kernel_files.hpp"

namespace hypeman::collector {

/// Limits how many VMs keep their kernel files open, so that a host with more VMs than descriptors
/// can be measured. Beyond the limit it closes the files that were used least recently; they are
/// opened again when they are needed. Thread-safe.
class DescriptorCache {
 public:
  /// `vms` is how many VMs may keep their files open; at least one may.
  explicit DescriptorCache(std::size_t vms);

  /// For how many VMs the limit of open files (RLIMIT_NOFILE) has room.
  [[nodiscard]] static std::size_t vms_within_limit();

  /// Call it before each use of the files.
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
