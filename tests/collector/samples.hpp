#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

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
  collector::Sample sample{
      .record = std::make_shared<const collector::VmRecord>(std::move(record)),
      .time = {},
      .boot_time = {},
      .units = {.ticks_per_second = 100, .page_size = 4096},
      .running = true,
      .stat =
          collector::ProcPidStat{
              .state = 'S', .user_ticks = 2900, .system_ticks = 94, .start_time_ticks = 123456},
      .statm = collector::ProcPidStatm{.size_pages = 4330745856 / 4096,
                                       .resident_pages = 443338752 / 4096}};
  sample.tap[collector::InterfaceCounter::rx_bytes] = 87654321;
  sample.tap[collector::InterfaceCounter::tx_bytes] = 12345678;
  return sample;
}

/// The value of the statistic with this name.
[[nodiscard]] inline Result<collector::Value> value_of(const collector::Sample& sample,
                                                       std::string_view name) {
  return collector::statistic_named(name).value(sample);
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

/// The documented example with all other numbers, which are all different.
[[nodiscard]] inline collector::Sample whole_sample(
    collector::VmRecord record = documented_record()) {
  if (!record.process) {
    record.process = collector::ProcessIdentity{.pid = 4711};
  }
  auto sample = documented_sample(std::move(record));
  sample.stat->major_faults = 17;
  sample.stat->guest_ticks = 1500;
  sample.memory = collector::ProcPidMemory{.rss_anon_bytes = 400'000'000,
                                           .rss_file_bytes = 40'000'000,
                                           .rss_shmem_bytes = 3'338'752,
                                           .swap_bytes = 4096};
  sample.vcpus = std::vector{
      collector::VcpuTimes{
          .number = 0, .run_nanoseconds = 1'000'000'001, .wait_nanoseconds = 250'000'000},
      collector::VcpuTimes{
          .number = 1, .run_nanoseconds = 2'500'000'000, .wait_nanoseconds = 500'000'000}};
  std::uint64_t count = 1001;
  for (const auto counter : collector::all_interface_counters) {
    if (counter > collector::InterfaceCounter::tx_bytes) {
      sample.tap[counter] = count++;
    }
  }
  sample.disk = collector::Disk{.size_bytes = 10737418240, .allocated_bytes = 1073741824};
  return sample;
}

/// The sources of all files.
inline constexpr collector::Sources all_sources =
    collector::process_sources | collector::tap_sources;

}  // namespace hypeman::tests
