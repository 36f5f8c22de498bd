#pragma once

#include <cstddef>
#include <functional>

namespace hypeman::collector {

/// Calls `work` for consecutive parts of [0, count) and returns when all are done. If `count` is
/// large, up to `max_threads` threads share the work. If no thread can be started, the caller does
/// it all.
void in_parallel(std::size_t count, std::size_t max_threads,
                 const std::function<void(std::size_t begin, std::size_t end)>& work);

}  // namespace hypeman::collector
