#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collector/kernel/pinned_files.hpp"

namespace hypeman::collector {

/// Bounds how many instances keep their files open, so that a host with more of them than
/// descriptors is still measured whole: beyond the limit, those that were used least recently are
/// closed, and opened again when they are needed. Thread-safe.
class DescriptorBudget {
 public:
  /// `instances` is how many may keep their files open; at least one may.
  explicit DescriptorBudget(std::size_t instances);

  /// What the process's limit of open files (RLIMIT_NOFILE) leaves room for.
  [[nodiscard]] static std::size_t instances_within_limit();

  /// To be said before each use of the files.
  void use(const std::shared_ptr<PinnedFiles>& files);

  /// Closes the files, and holds them no longer.
  void release(PinnedFiles& files);

 private:
  using ByUse = std::list<std::shared_ptr<PinnedFiles>>;

  const std::size_t limit_;
  std::mutex mutex_;
  ByUse by_use_;  // the most recently used ones first
  std::unordered_map<const PinnedFiles*, ByUse::iterator> position_;
};

}  // namespace hypeman::collector
