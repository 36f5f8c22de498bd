#include "collector/kernel/descriptor_budget.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace hypeman::collector {

DescriptorBudget::DescriptorBudget(std::size_t instances)
    : limit_{std::max<std::size_t>(instances, 1)} {}

std::size_t DescriptorBudget::instances_within_limit() {
  constexpr rlim_t reserve = 64;  // for everything that is open for the time of one request
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= reserve) {
    return 1;
  }
  return (limit.rlim_cur - reserve) / PinnedFiles::descriptors;
}

void DescriptorBudget::use(const std::shared_ptr<PinnedFiles>& files) {
  std::shared_ptr<PinnedFiles> evicted;
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = position_.find(files.get()); found != position_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return;
    }
    by_use_.push_front(files);
    position_.emplace(files.get(), by_use_.begin());
    if (by_use_.size() <= limit_) {
      return;
    }
    evicted = std::move(by_use_.back());
    by_use_.pop_back();
    position_.erase(evicted.get());
  }
  evicted->drop_all();
}

void DescriptorBudget::release(PinnedFiles& files) {
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = position_.find(&files); found != position_.end()) {
      by_use_.erase(found->second);
      position_.erase(found);
    }
  }
  files.drop_all();
}

}  // namespace hypeman::collector
