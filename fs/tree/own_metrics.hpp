#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace hypeman::fs {

/// What the daemon shows of itself in metrics.prom. Thread-safe.
class OwnMetrics {
 public:
  /// The way in which the kernel sends the requests. It must be a constant. Call this before the
  /// other functions.
  void set_transport(std::string_view transport) { transport_ = transport; }

  void count_read() { reads_.fetch_add(1, std::memory_order_relaxed); }
  /// Of an open(2) or read(2) of a file.
  void count_error(std::error_code error);

  /// The families, in Prometheus's text exposition format. Always has the same size.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::size_t size();

 private:
  [[nodiscard]] std::string families() const;

  static constexpr std::size_t kinds = 6;

  std::string_view transport_;
  std::atomic<std::uint64_t> reads_ = 0;
  std::array<std::atomic<std::uint64_t>, kinds> errors_{};
};

}  // namespace hypeman::fs
