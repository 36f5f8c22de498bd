#include "fs/tree/stat_cache.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace hypeman::fs {
namespace {

/// Longer than the time between two calls of a reader on a busy CPU.
constexpr std::chrono::milliseconds lifetime{20};
constexpr std::size_t max_readers = 64;

/// The difference is absolute because the clock may be set back.
bool is_recent(const Content& content) {
  return std::chrono::abs(std::chrono::system_clock::now() - content.time) <= lifetime;
}

}  // namespace

void StatCache::keep(pid_t reader, Inode inode, Content content) {
  if (reader == 0) {
    return;
  }
  const std::lock_guard lock{mutex_};
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.reader == reader || !is_recent(entry.content);
  });
  if (entries_.size() == max_readers) {
    entries_.erase(entries_.begin());
  }
  entries_.push_back({.reader = reader, .inode = inode, .content = std::move(content)});
}

std::optional<Content> StatCache::take(pid_t reader, Inode inode) {
  const std::lock_guard lock{mutex_};
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.reader == reader && entry.inode == inode; });
  if (found == entries_.end()) {
    return std::nullopt;
  }
  auto content = std::move(found->content);
  entries_.erase(found);
  if (!is_recent(content)) {
    return std::nullopt;
  }
  return content;
}

}  // namespace hypeman::fs
