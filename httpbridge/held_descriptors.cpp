#include "httpbridge/held_descriptors.hpp"

#include <utility>

namespace hypeman::httpbridge {

UniqueFd HeldDescriptors::take(const std::string& id) {
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? UniqueFd{} : std::move(found->second->fd);
}

void HeldDescriptors::give(const std::string& id, UniqueFd fd) {
  UniqueFd surplus;  // closed after the lock is let go: closing a FUSE file asks its daemon
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    slots_.splice(slots_.begin(), slots_, found->second);
    Slot& slot = slots_.front();
    (slot.fd ? surplus : slot.fd) = std::move(fd);
    return;
  }
  slots_.push_front(Slot{id, std::move(fd)});
  by_id_.emplace(id, slots_.begin());
  if (slots_.size() > capacity_) {
    surplus = std::move(slots_.back().fd);
    by_id_.erase(slots_.back().id);
    slots_.pop_back();
  }
}

void HeldDescriptors::drop(const std::string& id) {
  UniqueFd surplus;
  const std::lock_guard lock{mutex_};
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    surplus = std::move(found->second->fd);
    slots_.erase(found->second);
    by_id_.erase(found);
  }
}

}  // namespace hypeman::httpbridge
