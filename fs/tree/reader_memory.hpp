#pragma once

#include <sys/types.h>

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/result.hpp"

namespace hypeman::fs {

/// Bytes. The limit in total does not count root, so that other users cannot lock root out.
struct ReaderLimits {
  std::size_t of_user = std::size_t{64} << 20U;
  std::size_t in_total = std::size_t{192} << 20U;
};

/// Limits the memory that readers can make this process hold: open files and directories, and the
/// texts of files that are not read to the end. Thread-safe. It outlives its shares.
class ReaderMemory {
 public:
  /// Memory that is in use until the destructor runs.
  class Share {
   public:
    Share() = default;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    Share(Share&& other) noexcept { swap(other); }
    Share& operator=(Share&& other) noexcept {
      Share{std::move(other)}.swap(*this);
      return *this;
    }
    ~Share();

   private:
    friend class ReaderMemory;
    Share(ReaderMemory& memory, uid_t user, std::size_t bytes)
        : memory_{&memory}, user_{user}, bytes_{bytes} {}
    void swap(Share& other) noexcept {
      std::swap(memory_, other.memory_);
      std::swap(user_, other.user_);
      std::swap(bytes_, other.bytes_);
    }

    ReaderMemory* memory_ = nullptr;
    uid_t user_ = 0;
    std::size_t bytes_ = 0;
  };

  explicit ReaderMemory(ReaderLimits limits = {}) : limits_{limits} {}

  /// ENOBUFS: the user, or all users together, would use too much.
  [[nodiscard]] Result<Share> take(uid_t user, std::size_t bytes);

 private:
  void give_back(uid_t user, std::size_t bytes);

  const ReaderLimits limits_;
  std::mutex mutex_;
  std::unordered_map<uid_t, std::size_t> used_;  // by users who use some
  std::size_t total_ = 0;                        // without root
  std::size_t given_back_ = 0;                   // since malloc_trim(3)
};

}  // namespace hypeman::fs
