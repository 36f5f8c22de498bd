#include "fs/tree/stat_cache.hpp"

#include <algorithm>
#include <utility>

namespace hypeman::fs {
namespace {

/// Longer than the time between two calls of a reader on a busy CPU.
constexpr std::chrono::milliseconds lifetime{20};
constexpr std::size_t max_threads = 64;

bool is_recent(const StatAnswer& answer) {
  return StatAnswer::Clock::now() - answer.time <= lifetime;
}

}  // namespace

void StatCache::keep(pid_t thread, Inode inode, StatAnswer answer) {
  if (thread == 0) {
    return;
  }
  const std::lock_guard lock{mutex_};
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.thread == thread || !is_recent(entry.answer);
  });
  // Several threads that read the whole host share one vector.
  for (const auto& entry : entries_) {
    const auto& records = entry.answer.records;
    if (records != nullptr && answer.records != nullptr && *records == *answer.records) {
      answer.records = records;
      break;
    }
  }
  if (entries_.size() == max_threads) {
    entries_.erase(entries_.begin());
  }
  entries_.push_back({.thread = thread, .inode = inode, .answer = std::move(answer)});
}

std::optional<StatAnswer> StatCache::take(pid_t thread, Inode inode) {
  const std::lock_guard lock{mutex_};
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.thread == thread && entry.inode == inode; });
  if (found == entries_.end()) {
    return std::nullopt;
  }
  auto answer = std::move(found->answer);
  entries_.erase(found);
  if (!is_recent(answer)) {
    return std::nullopt;
  }
  return answer;
}

}  // namespace hypeman::fs
