#include "fs/tree/stat_cache.hpp"

#include <algorithm>
#include <utility>

namespace hypeman::fs {
namespace {

/// Longer than the time between two calls of a reader on a busy CPU.
constexpr std::chrono::milliseconds lifetime{20};
/// Longer than tar needs for a file.
constexpr std::chrono::seconds lifetime_of_time{1};
constexpr std::size_t max_threads = 64;

}  // namespace

StatAnswer::WallTime StatCache::keep(pid_t thread, Inode inode, StatAnswer answer) {
  if (thread == 0) {
    return answer.modified;
  }
  const std::lock_guard lock{mutex_};
  auto first_shown = answer.time;
  for (const auto& entry : entries_) {
    if (entry.thread == thread && entry.inode == inode && entry.answer.size == answer.size &&
        answer.time - entry.first_shown < lifetime_of_time) {
      first_shown = entry.first_shown;
      answer.modified = entry.answer.modified;
    }
  }
  const auto modified = answer.modified;
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.thread == thread || answer.time - entry.first_shown >= lifetime_of_time;
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
  entries_.push_back(
      {.thread = thread, .inode = inode, .answer = std::move(answer), .first_shown = first_shown});
  return modified;
}

std::optional<StatAnswer> StatCache::take(pid_t thread, Inode inode) {
  const std::lock_guard lock{mutex_};
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.thread == thread && entry.inode == inode; });
  if (found == entries_.end() || std::exchange(found->taken, true)) {
    return std::nullopt;
  }
  // The size and the modification time stay.
  auto answer = found->answer;
  found->answer.content = {};
  found->answer.records = {};
  if (StatAnswer::Clock::now() - answer.time > lifetime) {
    return std::nullopt;
  }
  return answer;
}

}  // namespace hypeman::fs
