#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "collector/vm_record.hpp"
#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"

namespace hypeman::fs {

/// The records of all VMs, sorted by ID.
using Records = std::vector<std::shared_ptr<const collector::VmRecord>>;

/// The answer to a stat(2): the size, and what it was derived from.
struct StatAnswer {
  using Clock = std::chrono::steady_clock;

  std::size_t size = 0;
  Content content = {};  ///< of a file of a VM; no text if it was not measured
  std::shared_ptr<const Records> records = {};  ///< of a file of the whole host
  Clock::time_point time = Clock::now();
};

/// Keeps the answer to a stat(2) for the read(2) that follows. Between the two calls a number may
/// get one more digit. Readers that trust st_size (sendfile, tar, Node's readFileSync) would then
/// not read the last byte. An fstat(2) request of FUSE does not contain a file handle, so an answer
/// is kept per thread: for 20 milliseconds, and for the last 64 threads. Thread-safe.
class StatCache {
 public:
  /// `thread` is 0 for a thread of another PID namespace: then nothing is kept.
  void keep(pid_t thread, Inode inode, StatAnswer answer);

  /// Removes and returns the answer to the thread's last stat, if it is of this inode and not too
  /// old.
  [[nodiscard]] std::optional<StatAnswer> take(pid_t thread, Inode inode);

 private:
  struct Entry {
    pid_t thread = 0;
    Inode inode = 0;
    StatAnswer answer;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace hypeman::fs
