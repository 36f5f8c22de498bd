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
  /// Response bodies of all connections. A body that several responses share counts once.
  std::size_t unsent_bytes = std::size_t{256} << 20;
  std::size_t queued_reads = 4096;  ///< different reads that wait or run; 503 above it
  std::size_t file_threads = 16;    ///< when all of them hang in the file system, the reply is 503
  std::size_t name_threads = 16;    ///< the same for look-ups by name
  /// For each of three steps: receive the request, read its files, send the response. Sending may
  /// take longer while the client reads fast enough: see send_timeout().
  std::chrono::milliseconds request_timeout{10'000};
  /// In bytes per second. A client that reads at this rate gets its whole response.
  std::size_t min_send_rate = std::size_t{64} << 10;
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds drain_timeout{2'000};      ///< for the client to close its side
  std::chrono::milliseconds shutdown_timeout{10'000};  ///< for requests in progress after SIGTERM
};

/// The time that sending a response may take when `sent_bytes` of it have been sent. Every byte
/// extends the time, so a large response is not cut, and the time is still bounded.
[[nodiscard]] std::chrono::milliseconds send_timeout(const Limits& limits, std::size_t sent_bytes);

/// The uses of the descriptors that the process may open.
struct DescriptorLimits {
  std::size_t connections = 0;
  std::size_t cached_files = 0;
};

/// Divides the limit on open files. A part of it remains for listeners and for reads in progress.
[[nodiscard]] DescriptorLimits divide_descriptors(std::size_t open_files,
                                                  std::size_t max_connections);

}  // namespace hypeman::httpbridge
