#include "fs/tree/open_file.hpp"

#include <algorithm>
#include <utility>

namespace hypeman::fs {

Result<OpenFile::Slice> OpenFile::read(std::size_t offset, std::size_t size, pid_t reader) {
  std::unique_lock lock{mutex_};
  if (offset == 0 || !sampled_) {
    if (const auto refreshed = refresh(reader); !refreshed) {
      sampled_ = false;
      return tl::unexpected{refreshed.error()};
    }
    sampled_ = true;
  }
  const std::string_view text = content_.text;
  return Slice{.lock = std::move(lock), .bytes = text.substr(std::min(offset, text.size()), size)};
}

Result<void> OpenFile::refresh(pid_t reader) {
  if (auto measured = source_(content_); !measured) {
    return measured;
  }
  // The newest sample is what a reader wants, unless it has just been told another size of the same
  // instance in the same state.
  if (auto told = recent_.take(reader, inode_);
      told && told->text.size() != content_.text.size() && told->metadata == content_.metadata) {
    content_ = *std::move(told);
  }
  return {};
}

}  // namespace hypeman::fs
