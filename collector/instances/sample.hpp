#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/kernel/tap.hpp"

namespace hypeman::collector {

/// Memory of the hypervisor process, from /proc/<pid>/statm.
struct MemoryUsage {
  std::uint64_t rss_bytes = 0;  ///< resident [2] × page size
  std::uint64_t vms_bytes = 0;  ///< size [1] × page size
};

/// One coherent measurement of one instance: everything in it was read together. All zero while
/// the instance is not running; an error where it is running but that part could not be read.
struct Sample {
  std::shared_ptr<const Metadata> metadata;  ///< never null
  std::chrono::system_clock::time_point time;
  bool running = false;
  Result<double> cpu_seconds = 0.0;  ///< (utime + stime) / ticks per second, children excluded
  Result<MemoryUsage> memory = MemoryUsage{};
  Result<NetworkTraffic> network =
      NetworkTraffic{};  ///< zero as well for an instance without network
};

}  // namespace hypeman::collector
