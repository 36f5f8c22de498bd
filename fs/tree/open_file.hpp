#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"
#include "fs/tree/told_contents.hpp"

namespace hypeman::fs {

/// One open of a file. A read at offset 0 takes a new sample, as with procfs; reads at
/// later offsets continue it. Thread-safe.
class OpenFile {
 public:
  /// `recent` outlives this object.
  OpenFile(ContentSource source, Inode inode, RecentContents& recent)
      : source_{std::move(source)}, inode_{inode}, recent_{recent} {}

  /// Bytes of the content, valid while the slice lives.
  struct Slice {
    std::unique_lock<std::mutex> lock;
    std::string_view bytes;
  };

  /// At most `size` bytes from `offset`, fewer only at the end. Errors are the
  /// source's.
  [[nodiscard]] Result<Slice> read(std::size_t offset, std::size_t size, pid_t reader);

 private:
  [[nodiscard]] Result<void> refresh(pid_t reader);

  const ContentSource source_;
  const Inode inode_;
  RecentContents& recent_;

  std::mutex mutex_;
  Content content_;
  bool sampled_ = false;
};

}  // namespace hypeman::fs
