#include "fs/tree/told_contents.hpp"

#include <algorithm>
#include <utility>

namespace hypeman::fs {
namespace {

/// Longer than a reader waits for its turn on a busy CPU between two calls.
constexpr std::chrono::milliseconds lifetime{20};
constexpr std::size_t most_readers = 64;

/// Whichever way the clock is set meanwhile, nothing older counts as recent.
bool is_recent(const Content& content) {
  return std::chrono::abs(std::chrono::system_clock::now() - content.time) <= lifetime;
}

}  // namespace

void RecentContents::remember(pid_t reader, Inode inode, Content content) {
  if (reader == 0) {
    return;
  }
  const std::lock_guard lock{mutex_};
  std::erase_if(
      told_, [&](const Told& told) { return told.reader == reader || !is_recent(told.content); });
  if (told_.size() == most_readers) {
    told_.erase(told_.begin());
  }
  told_.push_back({.reader = reader, .inode = inode, .content = std::move(content)});
}

std::optional<Content> RecentContents::take(pid_t reader, Inode inode) {
  const std::lock_guard lock{mutex_};
  const auto found = std::ranges::find_if(
      told_, [&](const Told& told) { return told.reader == reader && told.inode == inode; });
  if (found == told_.end()) {
    return std::nullopt;
  }
  auto content = std::move(found->content);
  told_.erase(found);
  if (!is_recent(content)) {
    return std::nullopt;
  }
  return content;
}

}  // namespace hypeman::fs
