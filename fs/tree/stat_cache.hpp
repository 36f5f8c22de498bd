#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"

namespace hypeman::fs {

/// Keeps the content that was measured to answer a stat(2), for the read(2) that follows. Between
/// the two a number may get one more digit, and a reader that trusts st_size (sendfile, tar, Node's
/// readFileSync) would lose the end. FUSE does not say which descriptor an fstat(2) is for, so a
/// content belongs to a thread. It is kept for twenty milliseconds, and for the last 64 threads
/// only. Thread-safe.
class StatCache {
 public:
  /// `reader` is a thread ID. 0 is a thread of another PID namespace: nothing is kept for it.
  void keep(pid_t reader, Inode inode, Content content);

  /// The content of the reader's last stat, if that was of this inode and is not too old. Returns
  /// it once.
  [[nodiscard]] std::optional<Content> take(pid_t reader, Inode inode);

 private:
  struct Entry {
    pid_t reader = 0;
    Inode inode = 0;
    Content content;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace hypeman::fs
