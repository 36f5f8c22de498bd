#include "collector/kernel/descriptor_cache.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "collector/kernel/checker_threads.hpp"

namespace hypeman::collector {

DescriptorCache::DescriptorCache(std::size_t vms) : limit_{std::max<std::size_t>(vms, 1)} {}

std::size_t DescriptorCache::vms_within_limit() {
  constexpr rlim_t per_check = 3;  // stat, statm and cmdline
  // For files that are open only during a request, or while a check hangs.
  constexpr rlim_t reserve = 64 + per_check * CheckerThreads::max_threads;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= reserve) {
    return 1;
  }
  return (limit.rlim_cur - reserve) / KernelFiles::max_descriptors;
}

void DescriptorCache::use(const std::shared_ptr<KernelFiles>& files) {
  std::shared_ptr<KernelFiles> evicted;
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
  evicted->close_all();
}

void DescriptorCache::remove(KernelFiles& files) {
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = position_.find(&files); found != position_.end()) {
      by_use_.erase(found->second);
      position_.erase(found);
    }
  }
  files.close_all();
}

}  // namespace hypeman::collector
