#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::tests {

[[nodiscard]] inline collector::VmRecord documented_record() {
  return {.id = "qilviffnqzck2jrim1x6s2b1",
          .name = "my-web-server",
          .allocated_memory_bytes = 4294967296,
          .allocated_vcpus = 2};
}

/// The example of Hypeman's API page as a sample, also with another ID or name.
[[nodiscard]] inline collector::Sample documented_sample(
    collector::VmRecord record = documented_record()) {
  return {.record = std::make_shared<const collector::VmRecord>(std::move(record)),
          .time = {},
          .boot_time = {},
          .units = {.ticks_per_second = 100, .page_size = 4096},
          .running = true,
          .stat =
              collector::ProcPidStat{
                  .state = 'S', .user_ticks = 2900, .system_ticks = 94, .start_time_ticks = 123456},
          .statm = collector::ProcPidStatm{.size_pages = 4330745856 / 4096,
                                           .resident_pages = 443338752 / 4096},
          .tap_rx_bytes = std::uint64_t{87654321},
          .tap_tx_bytes = std::uint64_t{12345678}};
}

/// The value of the statistic with this name.
[[nodiscard]] inline Result<collector::Value> value_of(const collector::Sample& sample,
                                                       std::string_view name) {
  for (const auto& statistic : collector::statistics()) {
    if (statistic.name == name) {
      return statistic.value(sample);
    }
  }
  return failure(EINVAL);
}

template <class T>
[[nodiscard]] Result<T> number(const collector::Sample& sample, std::string_view name) {
  return value_of(sample, name).map([](const collector::Value& value) {
    return std::get<T>(value);
  });
}

[[nodiscard]] inline auto cpu_seconds(const collector::Sample& sample) {
  return number<double>(sample, "cpu_seconds");
}
[[nodiscard]] inline auto rss_bytes(const collector::Sample& sample) {
  return number<std::uint64_t>(sample, "memory_rss_bytes");
}
[[nodiscard]] inline auto vms_bytes(const collector::Sample& sample) {
  return number<std::uint64_t>(sample, "memory_vms_bytes");
}
[[nodiscard]] inline auto rx_bytes(const collector::Sample& sample) {
  return number<std::uint64_t>(sample, "network_rx_bytes");
}
[[nodiscard]] inline auto tx_bytes(const collector::Sample& sample) {
  return number<std::uint64_t>(sample, "network_tx_bytes");
}

/// The sources of all files.
inline constexpr collector::Sources all_sources =
    collector::process_sources | collector::tap_sources;

}  // namespace hypeman::tests
