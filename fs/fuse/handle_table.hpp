#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace hypeman::fs {

/// Open files or directories by handle. The table owns them: the kernel sends no release if the
/// connection ends while files are open. Thread-safe.
template <class Opened>
class HandleTable {
 public:
  [[nodiscard]] std::uint64_t add(std::shared_ptr<Opened> opened) {
    const std::unique_lock lock{mutex_};
    open_.emplace(++last_, std::move(opened));
    return last_;
  }

  /// Returns null if the handle is not open. The pointer is shared: the kernel may release a file
  /// while the operation that has just replied still uses it.
  [[nodiscard]] std::shared_ptr<Opened> find(std::uint64_t handle) const {
    const std::shared_lock lock{mutex_};
    const auto found = open_.find(handle);
    return found == open_.end() ? nullptr : found->second;
  }

  void remove(std::uint64_t handle) {
    std::shared_ptr<Opened> removed;  // destroyed without the lock, because it may hold a lot
    const std::unique_lock lock{mutex_};
    if (const auto found = open_.find(handle); found != open_.end()) {
      removed = std::move(found->second);
      open_.erase(found);
    }
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Opened>> open_;
  std::uint64_t last_ = 0;
};

}  // namespace hypeman::fs
