#pragma once

#include <chrono>
#include <cstddef>

namespace hypeman::httpbridge {

/// Bounds on the resources that clients can use.
struct Limits {
  std::size_t connections = 4096;
  std::size_t header_bytes = std::size_t{16} << 10;
  std::size_t target_bytes = std::size_t{4} << 10;
  std::size_t body_bytes = std::size_t{4} << 10;
  std::size_t unsent_bytes = std::size_t{256} << 20;  ///< response bodies of all connections
  /// For each of three steps: receive the request, read its files, send the response.
  std::chrono::milliseconds request_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds drain_timeout{2'000};      ///< for the client to close its side
  std::chrono::milliseconds shutdown_timeout{10'000};  ///< for requests in progress after SIGTERM
};

}  // namespace hypeman::httpbridge
