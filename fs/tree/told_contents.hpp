#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"

namespace hypeman::fs {

/// Remembers, until its sample is twenty milliseconds old, the content whose size a thread was
/// told, for the read that follows; of no more than the last 64 threads. FUSE carries no descriptor
/// with fstat(2), and between the fstat and the read a number may gain a digit; readers that trust
/// st_size (sendfile, tar, Node's readFileSync) would then be cut short. Thread-safe.
class RecentContents {
 public:
  /// `reader` is a thread; 0, which is nobody or one of another PID namespace, is not remembered.
  void remember(pid_t reader, Inode inode, Content content);

  /// The content that the reader was told the size of last, if it is of this inode and not too old;
  /// once.
  [[nodiscard]] std::optional<Content> take(pid_t reader, Inode inode);

 private:
  struct Told {
    pid_t reader = 0;
    Inode inode = 0;
    Content content;
  };

  std::mutex mutex_;
  std::vector<Told> told_;  // oldest first
};

}  // namespace hypeman::fs
