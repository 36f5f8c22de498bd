#include "collector/statistics/stats_json.hpp"

#include <cerrno>
#include <cstdint>
#include <regex>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::append_stats_json;
using collector::Sample;

std::string stats_json(const Sample& sample) {
  std::string text;
  append_stats_json(sample, text);
  return text;
}

/// The text without the spaces at the ends of its lines.
std::string without_padding(const Sample& sample) {
  return std::regex_replace(stats_json(sample), std::regex{" +\n"}, "\n");
}

/// The name that a JSON parser reads from stats.json.
std::string name_through_json(const std::string& name) {
  auto record = documented_record();
  record.name = name;
  return nlohmann::json::parse(stats_json(documented_sample(record)))
      .at("instance_name")
      .get<std::string>();
}

// The documentation rounds the ratio of its example to 0.103; the API does not.
TEST(StatsJson, IsTheDocumentedExampleLineForLine) {
  EXPECT_EQ(without_padding(documented_sample()), R"({
  "allocated_memory_bytes": 4294967296,
  "allocated_vcpus": 2,
  "cpu_seconds": 29.94,
  "instance_id": "qilviffnqzck2jrim1x6s2b1",
  "instance_name": "my-web-server",
  "memory_rss_bytes": 443338752,
  "memory_vms_bytes": 4330745856,
  "network_rx_bytes": 12345678,
  "network_tx_bytes": 87654321,
  "memory_utilization_ratio": 0.10322284698486328
}
)");
}

TEST(StatsJson, HasNoRatioWhenNothingIsAllocated) {
  auto record = documented_record();
  record.allocated_memory_bytes = 0;
  EXPECT_EQ(without_padding(documented_sample(record)), R"({
  "allocated_memory_bytes": 0,
  "allocated_vcpus": 2,
  "cpu_seconds": 29.94,
  "instance_id": "qilviffnqzck2jrim1x6s2b1",
  "instance_name": "my-web-server",
  "memory_rss_bytes": 443338752,
  "memory_vms_bytes": 4330745856,
  "network_rx_bytes": 12345678,
  "network_tx_bytes": 87654321
}
)");
}

TEST(StatsJson, AStoppedInstanceShowsItsAllocationsAndZeros) {
  auto sample = documented_sample();
  sample.running = false;
  sample.stat = collector::ProcPidStat{};
  sample.statm = collector::ProcPidStatm{};
  sample.tap[collector::InterfaceCounter::rx_bytes] = 0;
  sample.tap[collector::InterfaceCounter::tx_bytes] = 0;
  EXPECT_EQ(without_padding(sample), R"({
  "allocated_memory_bytes": 4294967296,
  "allocated_vcpus": 2,
  "cpu_seconds": 0,
  "instance_id": "qilviffnqzck2jrim1x6s2b1",
  "instance_name": "my-web-server",
  "memory_rss_bytes": 0,
  "memory_vms_bytes": 0,
  "network_rx_bytes": 0,
  "network_tx_bytes": 0,
  "memory_utilization_ratio": 0
}
)");
}

TEST(StatsJson, OnlyNumbersThatCannotBeReadAreZero) {
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  sample.tap[collector::InterfaceCounter::tx_bytes] = failure(ENODEV);
  auto json = nlohmann::json::parse(stats_json(sample));
  EXPECT_EQ(json.at("network_rx_bytes"), 0);
  EXPECT_EQ(json.at("network_tx_bytes"), 0);
  EXPECT_EQ(json.at("memory_rss_bytes"), 443338752);
  EXPECT_EQ(json.at("cpu_seconds"), 29.94);

  sample = documented_sample();
  sample.stat = failure(ESRCH);
  sample.statm = failure(ESRCH);
  json = nlohmann::json::parse(stats_json(sample));
  EXPECT_EQ(json.size(), 10U);
  EXPECT_EQ(json.at("cpu_seconds"), 0);
  EXPECT_EQ(json.at("memory_rss_bytes"), 0);
  EXPECT_EQ(json.at("memory_vms_bytes"), 0);
  EXPECT_EQ(json.at("memory_utilization_ratio"), 0);
  EXPECT_EQ(json.at("network_rx_bytes"), 12345678);
}

TEST(StatsJson, EscapedNamesParseToTheSameNames) {
  using namespace std::string_literals;
  for (const auto& name :
       {""s, "a\"b"s, "a\\b"s, "a\nb\tc\rd"s, "a\0b"s, "\x1b[31m"s, "\x7f"s, "\u00e9\U0001F600"s,
        "</script>"s, R"(","cpu_seconds":0,"x":")"s, "\u2028"s}) {
    EXPECT_EQ(name_through_json(name), name);
  }
}

TEST(StatsJson, ControlCharactersAreEscaped) {
  auto record = documented_record();
  record.name = "two\nlines";
  EXPECT_NE(stats_json(documented_sample(record)).find(R"("instance_name": "two\nlines",)"),
            std::string::npos);
}

TEST(StatsJson, LargeNumbersAreExact) {
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::tx_bytes] = 9007199254740993;
  sample.tap[collector::InterfaceCounter::rx_bytes] = UINT64_MAX;
  sample.stat->user_ticks = 3153600001 - sample.stat->system_ticks;
  const auto text = stats_json(sample);
  EXPECT_NE(text.find("\"network_rx_bytes\": 9007199254740993,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"network_tx_bytes\": 18446744073709551615,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"cpu_seconds\": 31536000.01,"), std::string::npos) << text;
}

TEST(StatsJson, SizeDoesNotDependOnTheNumbers) {
  auto small = documented_sample();
  small.stat->user_ticks = 0;
  small.stat->system_ticks = 1;
  small.statm->resident_pages = 0;
  small.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  auto large = documented_sample();
  large.stat->user_ticks = UINT64_MAX / 3;
  large.statm->resident_pages = 1;
  large.statm->size_pages = UINT64_MAX / 4096;
  large.tap[collector::InterfaceCounter::rx_bytes] = UINT64_MAX;
  large.tap[collector::InterfaceCounter::tx_bytes] = UINT64_MAX;
  EXPECT_EQ(stats_json(small).size(), stats_json(documented_sample()).size());
  EXPECT_EQ(stats_json(large).size(), stats_json(documented_sample()).size());
}

TEST(StatsJson, NoRatioIsLongerThanItsPadding) {
  for (const std::uint64_t allocated :
       {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{4294967297}, std::uint64_t{INT64_MAX}}) {
    for (const std::uint64_t pages : {std::uint64_t{1}, std::uint64_t{7}, UINT64_MAX / 4096}) {
      auto record = documented_record();
      record.allocated_memory_bytes = allocated;
      auto sample = documented_sample(record);
      const auto size = stats_json(sample).size();
      sample.statm->resident_pages = pages;
      EXPECT_EQ(stats_json(sample).size(), size) << allocated << ' ' << pages;
    }
  }
}

TEST(StatsJson, AppendsToExistingText) {
  std::string text = "x";
  append_stats_json(documented_sample(), text);
  EXPECT_EQ(text, "x" + stats_json(documented_sample()));
}

}  // namespace
}  // namespace hypeman::tests
