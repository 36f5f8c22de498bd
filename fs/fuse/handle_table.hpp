#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace hypeman::fs {

/// What the kernel has open, by the number that it knows it by. Owns it, because a connection that
/// ends while readers hold files open releases nothing. Thread-safe.
template <class Opened>
class HandleTable {
 public:
  [[nodiscard]] std::uint64_t add(std::shared_ptr<Opened> opened) {
    const std::unique_lock lock{mutex_};
    open_.emplace(++last_, std::move(opened));
    return last_;
  }

  /// Shared, because the kernel may release it as soon as it has a reply, while the operation that
  /// replied is still coming to its end. Null for a number that is not open.
  [[nodiscard]] std::shared_ptr<Opened> find(std::uint64_t handle) const {
    const std::shared_lock lock{mutex_};
    const auto found = open_.find(handle);
    return found == open_.end() ? nullptr : found->second;
  }

  void remove(std::uint64_t handle) {
    const std::unique_lock lock{mutex_};
    open_.erase(handle);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Opened>> open_;
  std::uint64_t last_ = 0;
};

}  // namespace hypeman::fs
