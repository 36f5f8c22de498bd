#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <mutex>
#include <optional>

#include "fs/content.hpp"
#include "fs/node.hpp"

namespace hypeman::fs {

/// Remembers, until its sample is twenty milliseconds old, the content whose size a thread was
/// told, for the read that follows. FUSE carries no descriptor with fstat(2), and between the fstat
/// and the read a number may gain a digit; readers that trust st_size (sendfile, tar, Node's
/// readFileSync) would then be cut short. Thread-safe.
class RecentContents {
 public:
  /// `reader` is a thread; 0, which is nobody or one of another PID namespace, is not remembered.
  void remember(pid_t reader, Inode inode, const Content& content);

  /// The content that the reader was told the size of last, if it is of this inode and not too old;
  /// once.
  [[nodiscard]] std::optional<Content> take(pid_t reader, Inode inode);

 private:
  struct Slot {
    std::mutex mutex;
    pid_t reader = 0;
    Inode inode = 0;
    Content content;
  };

  [[nodiscard]] Slot& slot_of(pid_t reader) {
    return slots_.at(static_cast<std::size_t>(reader) % slots_.size());
  }

  // Two readers that share a slot only lose the memory, as if more time had passed.
  std::array<Slot, 64> slots_;
};

}  // namespace hypeman::fs
