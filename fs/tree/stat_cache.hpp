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

/// The answer to a stat(2): the size, the modification time, and what the size was derived from.
struct StatAnswer {
  using Clock = std::chrono::steady_clock;
  using WallTime = std::chrono::system_clock::time_point;

  std::size_t size = 0;
  WallTime modified = std::chrono::system_clock::now();
  Content content = {};  ///< of a file of a VM; no text if it was not measured
  std::shared_ptr<const Records> records = {};  ///< of a file of the whole host
  Clock::time_point time = Clock::now();
};

/// Keeps the answer to a stat(2) for the read(2) that follows. Between the two calls a number may
/// get one more digit. Readers that trust st_size (sendfile, tar, Node's readFileSync) would then
/// not read the last byte. An fstat(2) request of FUSE does not contain a file handle, so an answer
/// is kept per thread: for 20 milliseconds, and for the last 64 threads. Thread-safe.
///
/// GNU tar 1.35 reports that a file has changed if its modification time differs before and after
/// it reads the file. So a thread is shown the same time again for a second.
class StatCache {
 public:
  /// Returns the modification time to show: that of the thread's last stat if it was of the same
  /// inode, showed the same size, and its time was first shown less than a second ago. Else that of
  /// the answer. `thread` is 0 for a thread of another PID namespace: then nothing is kept.
  StatAnswer::WallTime keep(pid_t thread, Inode inode, StatAnswer answer);

  /// Removes and returns the answer to the thread's last stat, if it is of this inode and not too
  /// old.
  [[nodiscard]] std::optional<StatAnswer> take(pid_t thread, Inode inode);

 private:
  struct Entry {
    pid_t thread = 0;
    Inode inode = 0;
    StatAnswer answer;
    StatAnswer::Clock::time_point first_shown;  // the modification time
    bool taken = false;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace hypeman::fs
