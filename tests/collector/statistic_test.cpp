#include "collector/statistics/statistic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::Source;
using collector::statistics;
using collector::Value;

TEST(Statistics, HaveTheDocumentedOrderInStatsJson) {
  std::vector<std::string_view> names;
  for (const auto& statistic : statistics()) {
    if (statistic.in_stats_json) {
      names.push_back(statistic.name);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "allocated_memory_bytes", "allocated_vcpus", "cpu_seconds", "instance_id",
                       "instance_name", "memory_rss_bytes", "memory_vms_bytes", "network_rx_bytes",
                       "network_tx_bytes", "memory_utilization_ratio"}));
}

TEST(Statistics, HaveUniqueNamesAndMetrics) {
  std::set<std::string> names;
  std::set<std::string_view> metrics;
  for (const auto& statistic : statistics()) {
    EXPECT_TRUE(names.insert(statistic.path()).second) << statistic.path();
    if (const auto& metric = statistic.metric; !metric.name.empty()) {
      EXPECT_TRUE(metrics.insert(metric.name).second) << metric.name;
      EXPECT_EQ(metric.name.ends_with("_total"), metric.type == "counter") << metric.name;
      EXPECT_TRUE(metric.type == "counter" || metric.type == "gauge") << metric.name;
      EXPECT_TRUE(metric.help.ends_with(".")) << metric.name;
    }
  }
}

TEST(Statistics, HaveTheValuesOfTheSample) {
  const auto sample = documented_sample();
  EXPECT_EQ(value_of(sample, "allocated_memory_bytes"), Value{std::uint64_t{4294967296}});
  EXPECT_EQ(value_of(sample, "allocated_vcpus"), Value{std::uint64_t{2}});
  EXPECT_EQ(value_of(sample, "cpu_seconds"), Value{29.94});
  EXPECT_EQ(value_of(sample, "instance_id"), Value{std::string_view{"qilviffnqzck2jrim1x6s2b1"}});
  EXPECT_EQ(value_of(sample, "instance_name"), Value{std::string_view{"my-web-server"}});
  EXPECT_EQ(value_of(sample, "memory_rss_bytes"), Value{std::uint64_t{443338752}});
  EXPECT_EQ(value_of(sample, "memory_vms_bytes"), Value{std::uint64_t{4330745856}});
  EXPECT_EQ(value_of(sample, "network_rx_bytes"), Value{std::uint64_t{12345678}});
  EXPECT_EQ(value_of(sample, "network_tx_bytes"), Value{std::uint64_t{87654321}});
  EXPECT_EQ(value_of(sample, "memory_utilization_ratio"), Value{443338752.0 / 4294967296.0});
}

TEST(Statistics, BeyondTheDocumentedOnesHaveTheValuesOfTheSample) {
  const auto sample = whole_sample();
  EXPECT_EQ(value_of(sample, "state"), Value{std::string_view{"running"}});
  EXPECT_EQ(value_of(sample, "start_time_seconds"), Value{1234.56});
  EXPECT_EQ(value_of(sample, "cpu_guest_seconds"), Value{15.0});
  EXPECT_EQ(value_of(sample, "cpu_wait_seconds"), Value{0.75});
  EXPECT_EQ(value_of(sample, "memory_rss_anon_bytes"), Value{std::uint64_t{400'000'000}});
  EXPECT_EQ(value_of(sample, "memory_rss_file_bytes"), Value{std::uint64_t{40'000'000}});
  EXPECT_EQ(value_of(sample, "memory_rss_shmem_bytes"), Value{std::uint64_t{3'338'752}});
  EXPECT_EQ(value_of(sample, "memory_swap_bytes"), Value{std::uint64_t{4096}});
  EXPECT_EQ(value_of(sample, "memory_major_faults"), Value{std::uint64_t{17}});
  EXPECT_EQ(value_of(sample, "disk_size_bytes"), Value{std::uint64_t{10737418240}});
  EXPECT_EQ(value_of(sample, "disk_allocated_bytes"), Value{std::uint64_t{1073741824}});
}

TEST(Statistics, OfTheNetworkAreThoseOfTheVm) {
  const auto sample = whole_sample();
  const auto tap = [&](collector::InterfaceCounter counter) {
    return Value{sample.tap[counter].value()};
  };
  using enum collector::InterfaceCounter;
  EXPECT_EQ(value_of(sample, "network_rx_packets"), tap(tx_packets));
  EXPECT_EQ(value_of(sample, "network_tx_packets"), tap(rx_packets));
  EXPECT_EQ(value_of(sample, "network_rx_errors"), tap(tx_errors));
  EXPECT_EQ(value_of(sample, "network_tx_errors"), tap(rx_errors));
  EXPECT_EQ(value_of(sample, "network_rx_dropped"), tap(tx_dropped));
  EXPECT_EQ(value_of(sample, "network_tx_dropped"), tap(rx_dropped));
}

TEST(Statistics, OfAVcpuHaveTheValuesOfItsThread) {
  const auto sample = whole_sample();
  const auto values = [&](unsigned vcpu) {
    std::vector<Result<Value>> all;
    for (const auto& statistic : statistics()) {
      if (statistic.is_of_vcpu()) {
        all.push_back(statistic.value(sample, vcpu));
      }
    }
    return all;
  };
  EXPECT_EQ(values(0), (std::vector<Result<Value>>{1.000000001, 0.25}));
  EXPECT_EQ(values(1), (std::vector<Result<Value>>{2.5, 0.5}));
  EXPECT_EQ(error_of(values(2).front()), ENOENT);
}

TEST(Statistics, StateIsTheRecordedOneWhileTheProcessLives) {
  auto record = documented_record();
  record.state_while_running = "paused";
  auto sample = documented_sample(record);
  sample.state_without_process = std::string_view{"standby"};
  EXPECT_EQ(value_of(sample, "state"), Value{std::string_view{"paused"}});
  sample.running = false;
  EXPECT_EQ(value_of(sample, "state"), Value{std::string_view{"standby"}});
  sample.running = true;
  sample.stat = failure(ETIMEDOUT);
  EXPECT_EQ(error_of(value_of(sample, "state")), ETIMEDOUT);
}

TEST(Statistics, WithoutKnownThreadsThereIsNoWaitTime) {
  auto sample = whole_sample();
  sample.vcpus->clear();
  EXPECT_EQ(error_of(value_of(sample, "cpu_wait_seconds")), ENOENT);
  EXPECT_FALSE(collector::statistic_named("cpu_wait_seconds").is_in(sample));
  EXPECT_TRUE(collector::statistic_named("cpu_wait_seconds").is_in(whole_sample()));
}

TEST(Statistics, NoValueIsLongerThanItsLimit) {
  auto sample = whole_sample();
  sample.stat = collector::ProcPidStat{.state = 'S',
                                       .major_faults = UINT64_MAX,
                                       .user_ticks = UINT64_MAX / 2,
                                       .system_ticks = 1,
                                       .start_time_ticks = UINT64_MAX / 1000,
                                       .guest_ticks = UINT64_MAX};
  for (const auto& statistic : statistics()) {
    if (statistic.sources.any() && !statistic.is_of_vcpu()) {
      std::string text;
      collector::append_value(statistic.value(sample).value(), text);
      EXPECT_LE(text.size(), statistic.max_value_size()) << statistic.name << " " << text;
    }
  }
}

TEST(Statistics, NeedOnlyTheirOwnKernelFiles) {
  const auto sources_of = [](std::string_view name) {
    return collector::statistic_named(name).sources;
  };
  EXPECT_EQ(sources_of("cpu_guest_seconds"), Source::proc_stat);
  EXPECT_EQ(sources_of("disk_size_bytes"), Source::disk);
  EXPECT_EQ(sources_of("state"), Source::proc_stat | Source::snapshot);
  EXPECT_EQ(sources_of("memory_swap_bytes"), Source::proc_stat | Source::proc_status);
  EXPECT_FALSE(sources_of("instance_name").any());
  EXPECT_EQ(sources_of("cpu_seconds"), Source::proc_stat);
  EXPECT_EQ(sources_of("memory_rss_bytes"), Source::proc_statm);
  EXPECT_EQ(sources_of("network_rx_bytes"), Source::proc_stat | Source::tap_tx_bytes);
  EXPECT_EQ(sources_of("network_tx_bytes"), Source::proc_stat | Source::tap_rx_bytes);
}

TEST(Statistics, TheRatioExistsOnlyWhileMemoryIsAllocated) {
  auto nothing_allocated = documented_record();
  nothing_allocated.allocated_memory_bytes = 0;
  for (const auto& statistic : statistics()) {
    const auto needs_memory = statistic.name == "memory_utilization_ratio";
    EXPECT_TRUE(statistic.is_in(whole_sample())) << statistic.name;
    EXPECT_EQ(statistic.is_in(whole_sample(nothing_allocated)), !needs_memory) << statistic.name;
  }
}

TEST(Statistics, TheRatioMayExceedOne) {
  auto record = documented_record();
  record.allocated_memory_bytes = 1000;
  auto sample = documented_sample(record);
  sample.units.page_size = 1;
  sample.statm = collector::ProcPidStatm{.size_pages = 5000, .resident_pages = 2500};
  EXPECT_EQ(value_of(sample, "memory_utilization_ratio"), Value{2.5});
}

TEST(Statistics, FailOnlyWithTheErrorOfTheirSource) {
  auto sample = whole_sample();
  sample.stat = failure(EBADMSG);
  sample.statm = failure(ESRCH);
  sample.memory = failure(EPERM);
  sample.vcpus = failure(EPROTO);
  sample.disk = failure(EACCES);
  for (const auto counter : collector::all_interface_counters) {
    sample.tap[counter] = failure(ENODEV);
  }
  const std::vector<std::pair<collector::Sources, int>> errors{
      {collector::tap_sources, ENODEV}, {Source::proc_statm, ESRCH}, {Source::proc_status, EPERM},
      {Source::schedstat, EPROTO},      {Source::disk, EACCES},      {Source::proc_stat, EBADMSG}};
  for (const auto& statistic : statistics()) {
    const auto error = std::ranges::find_if(
        errors, [&](const auto& one) { return (statistic.sources & one.first).any(); });
    const auto value =
        statistic.is_of_vcpu() ? statistic.value(sample, 0) : statistic.value(sample);
    EXPECT_EQ(error_of(value), error == errors.end() ? 0 : error->second) << statistic.path();
  }
}

TEST(Statistics, ThatAVmDoesNotHaveHaveNoValue) {
  auto sample = documented_sample();
  sample.running = false;
  EXPECT_EQ(error_of(value_of(sample, "start_time_seconds")), ENOENT);
  EXPECT_EQ(error_of(value_of(sample, "cpu_seconds")), 0);
  auto nothing_allocated = documented_record();
  nothing_allocated.allocated_memory_bytes = 0;
  EXPECT_EQ(error_of(value_of(documented_sample(nothing_allocated), "memory_utilization_ratio")),
            ENOENT);
}

TEST(Statistics, OfATapThatIsGoneAreNotListed) {
  const auto listed = [](const collector::Sample& sample, std::string_view name) {
    return collector::statistic_named(name).is_in(sample);
  };
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  EXPECT_FALSE(listed(sample, "network_tx_bytes"));
  EXPECT_TRUE(listed(sample, "network_rx_bytes"));
  sample.tap[collector::InterfaceCounter::tx_bytes] = failure(ENODEV);
  EXPECT_FALSE(listed(sample, "network_rx_bytes"));
  EXPECT_TRUE(listed(sample, "cpu_seconds"));
}

TEST(Statistics, NeedFewSourcesForAListing) {
  EXPECT_EQ(collector::presence_sources(),
            collector::tap_sources | (Source::proc_stat | Source::schedstat) | Source::disk);
}

}  // namespace
}  // namespace hypeman::tests
