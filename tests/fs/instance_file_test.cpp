#include "fs/tree/instance_file.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "collector/statistics/stats_json.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::Sample;
using fs::InstanceFile;

InstanceFile file(std::string_view name) {
  return InstanceFile::named(name).value();
}

std::string render(std::string_view name, const Sample& sample) {
  std::string text = "what was there before";
  const auto rendered = file(name).render(sample, text);
  return rendered ? text : rendered.error().message();
}

TEST(InstanceFile, NamesAreTheDocumentedStatisticsAndStatsJson) {
  std::vector<std::string_view> names;
  for (std::size_t index = 0; index < InstanceFile::count(); ++index) {
    names.push_back(InstanceFile{index}.name());
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "allocated_memory_bytes", "allocated_vcpus", "cpu_seconds", "instance_id",
                       "instance_name", "memory_rss_bytes", "memory_vms_bytes", "network_rx_bytes",
                       "network_tx_bytes", "memory_utilization_ratio", "start_time_seconds",
                       "stats.json"}));
}

TEST(InstanceFile, IsFoundByItsName) {
  for (std::size_t index = 0; index < InstanceFile::count(); ++index) {
    const auto found = InstanceFile::named(InstanceFile{index}.name());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->index(), index);
  }
}

TEST(InstanceFile, NothingElseIsFound) {
  for (const std::string name :
       {"", ".", "..", "cpu_second", "cpu_seconds ", "cpu_secondss", "CPU_SECONDS", "stats",
        "stats.json.bak", "metrics.prom", "metadata.json"}) {
    EXPECT_FALSE(InstanceFile::named(name)) << name;
  }
  EXPECT_FALSE(InstanceFile::named(std::string_view("cpu_seconds\0", 12)));
}

TEST(InstanceFile, OnlyTheRatioNeedsAllocatedMemory) {
  auto nothing_allocated = documented_record();
  nothing_allocated.allocated_memory_bytes = 0;
  for (std::size_t index = 0; index < InstanceFile::count(); ++index) {
    const InstanceFile each{index};
    EXPECT_TRUE(each.is_in(documented_sample())) << each.name();
    EXPECT_EQ(each.is_in(documented_sample(nothing_allocated)),
              each.name() != "memory_utilization_ratio")
        << each.name();
  }
}

TEST(InstanceFile, AFieldIsOneLine) {
  const auto sample = documented_sample();
  EXPECT_EQ(render("allocated_memory_bytes", sample), "4294967296\n");
  EXPECT_EQ(render("allocated_vcpus", sample), "2\n");
  EXPECT_EQ(render("cpu_seconds", sample), "29.94\n");
  EXPECT_EQ(render("instance_id", sample), "qilviffnqzck2jrim1x6s2b1\n");
  EXPECT_EQ(render("instance_name", sample), "my-web-server\n");
  EXPECT_EQ(render("memory_rss_bytes", sample), "443338752\n");
  EXPECT_EQ(render("memory_vms_bytes", sample), "4330745856\n");
  EXPECT_EQ(render("network_rx_bytes", sample), "12345678\n");
  EXPECT_EQ(render("network_tx_bytes", sample), "87654321\n");
  EXPECT_EQ(render("memory_utilization_ratio", sample), "0.10322284698486328\n");
  EXPECT_EQ(render("start_time_seconds", sample), "1234.56\n");
}

TEST(InstanceFile, StatsJsonIsTheWholeObject) {
  std::string expected;
  collector::append_stats_json(documented_sample(), expected);
  EXPECT_EQ(render("stats.json", documented_sample()), expected);
}

TEST(InstanceFile, UnreadableStatisticFailsButStatsJsonDoesNot) {
  auto sample = documented_sample();
  sample.tap_rx_bytes = failure(ENODEV);
  sample.tap_tx_bytes = failure(ENODEV);
  EXPECT_EQ(render("network_rx_bytes", sample), "No such device");
  EXPECT_EQ(render("network_tx_bytes", sample), "No such device");
  EXPECT_EQ(render("cpu_seconds", sample), "29.94\n");
  EXPECT_NE(render("stats.json", sample).find("\"network_rx_bytes\": 0"), std::string::npos);
}

TEST(InstanceFile, SizeOfStatsJsonDependsOnlyOnTheRecord) {
  auto busy = documented_sample();
  busy.stat->user_ticks = UINT64_MAX / 3;
  busy.statm->resident_pages = 1;
  busy.tap_rx_bytes = UINT64_MAX;
  auto unreadable = documented_sample();
  unreadable.tap_tx_bytes = failure(ENODEV);
  collector::Sample stopped{.record = busy.record};
  for (const auto& sample : {documented_sample(), busy, unreadable, stopped}) {
    EXPECT_EQ(file("stats.json").size_by_record(sample.record),
              render("stats.json", sample).size());
  }
}

TEST(InstanceFile, SizeOfAMeasuredNumberDoesNotDependOnlyOnTheRecord) {
  const auto record = documented_sample().record;
  EXPECT_EQ(file("cpu_seconds").size_by_record(record), std::nullopt);
  EXPECT_EQ(file("instance_name").size_by_record(record),
            render("instance_name", documented_sample()).size());
}

TEST(InstanceFile, NameWithControlCharactersIsOneLine) {
  auto record = documented_record();
  record.name = "two\nlines";
  EXPECT_EQ(render("instance_name", documented_sample(record)), "two\\012lines\n");
}

}  // namespace
}  // namespace hypeman::tests
