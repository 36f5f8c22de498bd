#include "collector/statistics/statistic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
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
  std::set<std::string_view> names;
  std::set<std::string_view> metrics;
  for (const auto& statistic : statistics()) {
    EXPECT_TRUE(names.insert(statistic.name).second) << statistic.name;
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

TEST(Statistics, NeedOnlyTheirOwnKernelFiles) {
  const auto sources_of = [](std::string_view name) {
    for (const auto& statistic : statistics()) {
      if (statistic.name == name) {
        return statistic.sources;
      }
    }
    return all_sources;
  };
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
    EXPECT_TRUE(statistic.is_in(documented_sample())) << statistic.name;
    EXPECT_EQ(statistic.is_in(documented_sample(nothing_allocated)), !needs_memory)
        << statistic.name;
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
  auto sample = documented_sample();
  sample.stat = failure(EBADMSG);
  sample.statm = failure(ESRCH);
  sample.tap_rx_bytes = failure(ENODEV);
  sample.tap_tx_bytes = failure(EIO);
  for (const auto& statistic : statistics()) {
    int expected = 0;
    if (statistic.sources.has(Source::tap_rx_bytes)) {
      expected = ENODEV;
    } else if (statistic.sources.has(Source::tap_tx_bytes)) {
      expected = EIO;
    } else if (statistic.sources.has(Source::proc_statm)) {
      expected = ESRCH;
    } else if (statistic.sources.has(Source::proc_stat)) {
      expected = EBADMSG;
    }
    EXPECT_EQ(error_of(statistic.value(sample)), expected) << statistic.name;
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
    const auto rows = statistics();
    const auto row = std::ranges::find(rows, name, &collector::Statistic::name);
    return row != rows.end() && row->is_in(sample);
  };
  auto sample = documented_sample();
  sample.tap_rx_bytes = failure(ENODEV);
  EXPECT_FALSE(listed(sample, "network_tx_bytes"));
  EXPECT_TRUE(listed(sample, "network_rx_bytes"));
  sample.tap_tx_bytes = failure(ENODEV);
  EXPECT_FALSE(listed(sample, "network_rx_bytes"));
  EXPECT_TRUE(listed(sample, "cpu_seconds"));
  EXPECT_EQ(collector::presence_sources(), Source::proc_stat | collector::tap_sources);
}

}  // namespace
}  // namespace hypeman::tests
