#include "collector/statistics/stats_json.hpp"

#include <cstdint>
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

/// The name as a JSON reader gets it out of stats.json.
std::string name_through_json(const std::string& name) {
  auto metadata = documented_metadata();
  metadata.name = name;
  return nlohmann::json::parse(stats_json(documented_sample(metadata)))
      .at("instance_name")
      .get<std::string>();
}

// The documentation rounds the ratio of its example to 0.103; the API does not.
TEST(StatsJson, IsTheDocumentedExampleByteForByte) {
  EXPECT_EQ(stats_json(documented_sample()), R"({
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
  auto metadata = documented_metadata();
  metadata.allocated_memory_bytes = 0;
  EXPECT_EQ(stats_json(documented_sample(metadata)), R"({
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

TEST(StatsJson, AStoppedInstanceKeepsItsAllocationsAndIsZeroOtherwise) {
  auto sample = documented_sample();
  sample.running = false;
  sample.cpu_seconds = 0.0;
  sample.memory = collector::MemoryUsage{};
  sample.network = collector::NetworkTraffic{};
  EXPECT_EQ(stats_json(sample), R"({
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

TEST(StatsJson, WhatCannotBeReadIsZeroAndTheRestIsNot) {
  auto sample = documented_sample();
  sample.network = failure(ENODEV);
  auto json = nlohmann::json::parse(stats_json(sample));
  EXPECT_EQ(json.at("network_rx_bytes"), 0);
  EXPECT_EQ(json.at("network_tx_bytes"), 0);
  EXPECT_EQ(json.at("memory_rss_bytes"), 443338752);
  EXPECT_EQ(json.at("cpu_seconds"), 29.94);

  sample = documented_sample();
  sample.cpu_seconds = failure(ESRCH);
  sample.memory = failure(ESRCH);
  json = nlohmann::json::parse(stats_json(sample));
  EXPECT_EQ(json.size(), 10U);
  EXPECT_EQ(json.at("cpu_seconds"), 0);
  EXPECT_EQ(json.at("memory_rss_bytes"), 0);
  EXPECT_EQ(json.at("memory_vms_bytes"), 0);
  EXPECT_EQ(json.at("memory_utilization_ratio"), 0);
  EXPECT_EQ(json.at("network_rx_bytes"), 12345678);
}

TEST(StatsJson, NamesThatNeedEscapingReadBackTheSame) {
  using namespace std::string_literals;
  for (const auto& name :
       {""s, "a\"b"s, "a\\b"s, "a\nb\tc\rd"s, "a\0b"s, "\x1b[31m"s, "\x7f"s, "\u00e9\U0001F600"s,
        "</script>"s, R"(","cpu_seconds":0,"x":")"s, "\u2028"s}) {
    EXPECT_EQ(name_through_json(name), name);
  }
}

TEST(StatsJson, ControlCharactersAreEscaped) {
  auto metadata = documented_metadata();
  metadata.name = "two\nlines";
  EXPECT_NE(stats_json(documented_sample(metadata)).find(R"("instance_name": "two\nlines",)"),
            std::string::npos);
}

TEST(StatsJson, LargeNumbersAreExact) {
  auto sample = documented_sample();
  sample.network = collector::NetworkTraffic{.rx_bytes = 9007199254740993, .tx_bytes = UINT64_MAX};
  sample.cpu_seconds = 31536000.01;
  const auto text = stats_json(sample);
  EXPECT_NE(text.find("\"network_rx_bytes\": 9007199254740993,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"network_tx_bytes\": 18446744073709551615,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"cpu_seconds\": 31536000.01,"), std::string::npos) << text;
}

TEST(StatsJson, AppendsToWhatIsThere) {
  std::string text = "x";
  append_stats_json(documented_sample(), text);
  EXPECT_EQ(text, "x" + stats_json(documented_sample()));
}

}  // namespace
}  // namespace hypeman::tests
