#include "httpbridge/mount/descriptor_cache.hpp"

#include <utility>

namespace hypeman::httpbridge {

UniqueFd DescriptorCache::take(const std::string& id) {
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? UniqueFd{} : std::move(found->second->fd);
}

CachedDescriptor DescriptorCache::take_oldest() {
  const std::lock_guard lock{mutex_};
  if (entries_.empty()) {
    return {};
  }
  CachedDescriptor& oldest = entries_.back();
  return {oldest.id, std::move(oldest.fd)};
}

void DescriptorCache::put(const std::string& id, UniqueFd fd) {
  // Declared before the lock, so closed after it: close(2) of a FUSE file waits for the daemon.
  UniqueFd surplus;
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    CachedDescriptor& entry = entries_.front();
    (entry.fd ? surplus : entry.fd) = std::move(fd);
    return;
  }
  entries_.push_front(CachedDescriptor{id, std::move(fd)});
  by_id_.emplace(id, entries_.begin());
  if (entries_.size() > capacity_) {
    surplus = std::move(entries_.back().fd);
    by_id_.erase(entries_.back().id);
    entries_.pop_back();
  }
}

void DescriptorCache::erase(const std::string& id) {
  UniqueFd surplus;
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    surplus = std::move(found->second->fd);
    entries_.erase(found->second);
    by_id_.erase(found);
  }
}

}  // namespace hypeman::httpbridge
