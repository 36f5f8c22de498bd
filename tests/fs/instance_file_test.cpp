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
  return find_file(InstanceFile::all(), name).value();
}

std::string render(std::string_view name, const Sample& sample) {
  std::string text = "what was there before";
  const auto rendered = file(name).render(sample, text);
  return rendered ? text : rendered.error().message();
}

TEST(InstanceFile, NamesAreTheDocumentedOnes) {
  std::vector<std::string_view> names;
  for (const auto& each : InstanceFile::all()) {
    names.push_back(each.name());
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"allocated_memory_bytes",
                                                  "allocated_vcpus",
                                                  "cpu_seconds",
                                                  "instance_id",
                                                  "instance_name",
                                                  "memory_rss_bytes",
                                                  "memory_vms_bytes",
                                                  "network_rx_bytes",
                                                  "network_tx_bytes",
                                                  "memory_utilization_ratio",
                                                  "state",
                                                  "start_time_seconds",
                                                  "cpu_guest_seconds",
                                                  "cpu_wait_seconds",
                                                  "memory_rss_anon_bytes",
                                                  "memory_rss_file_bytes",
                                                  "memory_rss_shmem_bytes",
                                                  "memory_swap_bytes",
                                                  "memory_major_faults",
                                                  "network_rx_packets",
                                                  "network_tx_packets",
                                                  "network_rx_errors",
                                                  "network_tx_errors",
                                                  "network_rx_dropped",
                                                  "network_tx_dropped",
                                                  "disk_size_bytes",
                                                  "disk_allocated_bytes",
                                                  "stats.json"}));
  names.clear();
  for (const auto& each : InstanceFile::all_of_vcpu(3)) {
    names.push_back(each.name());
    EXPECT_EQ(each.vcpu(), 3U);
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"cpu_seconds", "wait_seconds"}));
}

TEST(InstanceFile, IsFoundByItsName) {
  for (const auto& each : InstanceFile::all()) {
    EXPECT_EQ(find_file(InstanceFile::all(), each.name()), each);
  }
}

TEST(InstanceFile, NothingElseIsFound) {
  for (const std::string name :
       {"", ".", "..", "cpu_second", "cpu_seconds ", "cpu_secondss", "CPU_SECONDS", "stats",
        "stats.json.bak", "metrics.prom", "metadata.json"}) {
    EXPECT_FALSE(find_file(InstanceFile::all(), name)) << name;
  }
  EXPECT_FALSE(find_file(InstanceFile::all(), std::string_view("cpu_seconds\0", 12)));
}

TEST(InstanceFile, OnlyTheRatioNeedsAllocatedMemory) {
  auto nothing_allocated = documented_record();
  nothing_allocated.allocated_memory_bytes = 0;
  for (const auto& each : InstanceFile::all()) {
    EXPECT_TRUE(each.is_in(whole_sample())) << each.name();
    EXPECT_EQ(each.is_in(whole_sample(nothing_allocated)),
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

TEST(InstanceFile, AFieldOfAVcpuIsOneLine) {
  std::string text;
  for (const auto& each : InstanceFile::all_of_vcpu(1)) {
    std::string line;
    ASSERT_TRUE(each.render(whole_sample(), line)) << each.name();
    text += line;
  }
  EXPECT_EQ(text, "2.5\n0.5\n");
}

TEST(InstanceFile, OfAVcpuThatDoesNotExistIsAbsent) {
  for (const auto& each : InstanceFile::all_of_vcpu(2)) {
    EXPECT_FALSE(each.is_in(*whole_sample().record));
    EXPECT_FALSE(each.is_in(whole_sample()));
    std::string text;
    EXPECT_EQ(error_of(each.render(whole_sample(), text)), ENOENT);
  }
  auto thread_is_missing = whole_sample();
  thread_is_missing.vcpus->erase(thread_is_missing.vcpus->begin());
  EXPECT_FALSE(InstanceFile::all_of_vcpu(0).front().is_in(thread_is_missing));
  EXPECT_TRUE(InstanceFile::all_of_vcpu(1).front().is_in(thread_is_missing));
}

TEST(InstanceFile, StatsJsonIsTheWholeObject) {
  std::string expected;
  collector::append_stats_json(documented_sample(), expected);
  EXPECT_EQ(render("stats.json", documented_sample()), expected);
}

TEST(InstanceFile, UnreadableStatisticFailsButStatsJsonDoesNot) {
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  sample.tap[collector::InterfaceCounter::tx_bytes] = failure(ENODEV);
  EXPECT_EQ(render("network_rx_bytes", sample), "No such device");
  EXPECT_EQ(render("network_tx_bytes", sample), "No such device");
  EXPECT_EQ(render("cpu_seconds", sample), "29.94\n");
  EXPECT_NE(render("stats.json", sample).find("\"network_rx_bytes\": 0"), std::string::npos);
}

TEST(InstanceFile, SizeOfStatsJsonDependsOnlyOnTheRecord) {
  auto busy = documented_sample();
  busy.stat->user_ticks = UINT64_MAX / 3;
  busy.statm->resident_pages = 1;
  busy.tap[collector::InterfaceCounter::rx_bytes] = UINT64_MAX;
  auto unreadable = documented_sample();
  unreadable.tap[collector::InterfaceCounter::tx_bytes] = failure(ENODEV);
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
