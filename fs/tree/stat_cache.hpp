#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"

namespace hypeman::fs {

/// Keeps the content that was measured for a stat(2), for the read(2) that follows. Between the two
/// calls a number may get one more digit. Readers that trust st_size (sendfile, tar, Node's
/// readFileSync) would then not read the last byte. An fstat(2) request of FUSE does not contain a
/// file handle, so a content is kept per thread: for 20 milliseconds, and for the last 64 threads.
/// Thread-safe.
class StatCache {
 public:
  /// `reader` is a thread ID. It is 0 for a thread of another PID namespace: then nothing is kept.
  void keep(pid_t reader, Inode inode, Content content);

  /// Removes and returns the content of the reader's last stat, if it is of this inode and not too
  /// old.
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
