#pragma once

#include <memory>
#include <utility>

#include "collector/instances/sample.hpp"

namespace hypeman::tests {

[[nodiscard]] inline collector::Metadata documented_metadata() {
  return {.id = "qilviffnqzck2jrim1x6s2b1",
          .name = "my-web-server",
          .allocated_memory_bytes = 4294967296,
          .allocated_vcpus = 2};
}

/// The example of the documented API page, as a sample, or the same of another instance.
[[nodiscard]] inline collector::Sample documented_sample(
    collector::Metadata metadata = documented_metadata()) {
  return {.metadata = std::make_shared<const collector::Metadata>(std::move(metadata)),
          .time = {},
          .running = true,
          .cpu_seconds = 29.94,
          .memory = collector::MemoryUsage{.rss_bytes = 443338752, .vms_bytes = 4330745856},
          .network = collector::NetworkTraffic{.rx_bytes = 12345678, .tx_bytes = 87654321}};
}

}  // namespace hypeman::tests
