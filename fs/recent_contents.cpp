#include "fs/recent_contents.hpp"

#include <utility>

namespace hypeman::fs {
namespace {

/// Longer than a reader waits for its turn on a busy CPU between two calls.
constexpr std::chrono::milliseconds lifetime{20};

}  // namespace

void RecentContents::remember(pid_t reader, Inode inode, const Content& content) {
  if (reader == 0) {
    return;
  }
  auto& slot = slot_of(reader);
  const std::lock_guard lock{slot.mutex};
  slot.reader = reader;
  slot.inode = inode;
  slot.content = content;
}

std::optional<Content> RecentContents::take(pid_t reader, Inode inode) {
  if (reader == 0) {
    return std::nullopt;
  }
  auto& slot = slot_of(reader);
  const std::lock_guard lock{slot.mutex};
  if (slot.reader != reader || slot.inode != inode) {
    return std::nullopt;
  }
  slot.reader = 0;
  // Whichever way the clock is set meanwhile, nothing older is found.
  if (std::chrono::abs(std::chrono::system_clock::now() - slot.content.time) > lifetime) {
    return std::nullopt;
  }
  return std::move(slot.content);
}

}  // namespace hypeman::fs
