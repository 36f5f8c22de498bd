#include "collector/kernel/descriptor_cache.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "collector/kernel/checker_threads.hpp"

namespace hypeman::collector {

std::size_t DescriptorCache::descriptors_within_limit() {
  constexpr rlim_t per_check = 4;  // the directory of the process, stat, status and cmdline
  // For files that are open only during a request, or while a check hangs.
  constexpr rlim_t reserve = 64 + per_check * CheckerThreads::max_threads;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= reserve) {
    return 1;
  }
  return std::min<rlim_t>(limit.rlim_cur - reserve, max_descriptors);
}

void DescriptorCache::use(const std::shared_ptr<KernelFiles>& files) {
  const auto descriptors = files->descriptors();
  ByUse closed;
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = position_.find(files.get()); found != position_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
    } else {
      by_use_.push_front({.files = files});
      position_.emplace(files.get(), by_use_.begin());
    }
    descriptors_ += descriptors;
    descriptors_ -= std::exchange(by_use_.front().descriptors, descriptors);
    while (descriptors_ > limit_ && by_use_.size() > 1) {
      closed.splice(closed.end(), by_use_, std::prev(by_use_.end()));
      position_.erase(closed.back().files.get());
      descriptors_ -= closed.back().descriptors;
    }
  }
  for (const auto& entry : closed) {
    entry.files->close_all();
  }
}

void DescriptorCache::remove(KernelFiles& files) {
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = position_.find(&files); found != position_.end()) {
      descriptors_ -= found->second->descriptors;
      by_use_.erase(found->second);
      position_.erase(found);
    }
  }
  files.close_all();
}

}  // namespace hypeman::collector
