#include "httpbridge/http/limits.hpp"

#include <algorithm>

namespace hypeman::httpbridge {

std::chrono::milliseconds send_timeout(const Limits& limits, std::size_t sent_bytes) {
  constexpr std::size_t ms_per_second = 1000;
  return limits.request_timeout +
         std::chrono::milliseconds{sent_bytes * ms_per_second / limits.min_send_rate};
}

DescriptorLimits divide_descriptors(std::size_t open_files, std::size_t max_connections) {
  constexpr std::size_t max_cached_files = 1024;
  constexpr std::size_t max_reserve = 64;
  const std::size_t available = open_files - std::min(max_reserve, open_files / 2);
  const std::size_t cached_files = std::min(max_cached_files, available / 4);
  const std::size_t connections = std::max<std::size_t>(1, available - cached_files);
  return {std::min(max_connections, connections), cached_files};
}

}  // namespace hypeman::httpbridge
