#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collector/kernel/kernel_files.hpp"

namespace hypeman::collector {

/// Limits how many kernel files stay open, because the process may have a limited number of
/// descriptors, and because the kernel keeps a buffer of 4 KiB for each one. Above the limit it
/// closes the files of the VM that was not used for the longest time. They are opened again when
/// they are needed. Thread-safe.
class DescriptorCache {
 public:
  /// The files of one VM may always stay open, also if there are more than `limit`.
  explicit DescriptorCache(std::size_t limit) : limit_{limit} {}

  /// Enough for stats.json of 10,000 VMs. Takes about 300 MB of the kernel's memory.
  static constexpr std::size_t max_descriptors = 65536;

  /// At most max_descriptors, and no more than fit into the limit of open files (RLIMIT_NOFILE).
  [[nodiscard]] static std::size_t descriptors_within_limit();

  /// Call this after each use of the files. If it came before, another thread could close the files
  /// too early, and they would then be open without being counted.
  void use(const std::shared_ptr<KernelFiles>& files);

  /// Closes the files and forgets them.
  void remove(KernelFiles& files);

 private:
  struct Entry {
    std::shared_ptr<KernelFiles> files;
    std::size_t descriptors = 0;
  };
  using ByUse = std::list<Entry>;

  const std::size_t limit_;
  std::mutex mutex_;
  ByUse by_use_;  // the most recently used first
  std::unordered_map<const KernelFiles*, ByUse::iterator> position_;
  std::size_t descriptors_ = 0;  // of all entries
};

}  // namespace hypeman::collector
