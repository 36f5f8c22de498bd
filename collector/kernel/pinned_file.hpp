#pragma once

#include <atomic>

#include "base/result.hpp"

namespace hypeman::collector {

/// A kernel file that is opened by the first read and stays open. An open file of procfs or sysfs
/// never shows another process or interface, even if the name is used again. Thread-safe.
class PinnedFile {
 public:
  PinnedFile() = default;
  PinnedFile(const PinnedFile&) = delete;
  PinnedFile& operator=(const PinnedFile&) = delete;
  PinnedFile(PinnedFile&&) = delete;
  PinnedFile& operator=(PinnedFile&&) = delete;
  ~PinnedFile();

  /// The descriptor, which this object owns. Every call must name the same file.
  [[nodiscard]] Result<int> open(int directory, const char* path) const;

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  mutable std::atomic<int> fd_ = -1;
};

}  // namespace hypeman::collector
