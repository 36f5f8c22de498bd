#include "collector/statistics/summary.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::Sample;

std::size_t size_for(const std::vector<Sample>& samples) {
  std::vector<collector::FoundInstance> instances;
  for (const auto& sample : samples) {
    instances.push_back({.instance = nullptr, .record = sample.record});
  }
  return collector::summary_size(instances);
}

std::vector<std::string> lines_of(const std::vector<Sample>& samples) {
  std::vector<std::string> lines;
  std::istringstream stream{collector::summary(samples, size_for(samples))};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The words of a line.
std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream{line};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

Sample named(const std::string& name, bool running = true) {
  auto record = documented_record();
  record.name = name;
  auto sample = whole_sample(record);
  sample.time = std::chrono::system_clock::time_point{std::chrono::seconds{1234 + 3700}};
  sample.running = running;
  sample.state_without_process = std::string_view{"standby"};
  return sample;
}

TEST(Summary, ShowsTheNumbersOfAVmForPeople) {
  const auto lines = lines_of({named("web")});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(words_of(lines[0]),
            (std::vector<std::string>{"NAME", "STATE", "UPTIME", "VCPUS", "CPU", "WAIT", "MEMORY",
                                      "RSS", "ANON", "SWAP", "RX", "TX", "DROPS", "DISK", "ID"}));
  EXPECT_EQ(words_of(lines[1]),
            (std::vector<std::string>{"web", "running", "1h01m", "2", "29.94s", "0.75s", "4.0G",
                                      "423M", "381M", "4.0K", "12M", "84M", "2011", "1.0G",
                                      "qilviffnqzck2jrim1x6s2b1"}));
}

TEST(Summary, EndsWithTheTotals) {
  const auto lines = lines_of({named("a"), named("b"), named("c", false)});
  EXPECT_EQ(words_of(lines.back()),
            (std::vector<std::string>{"TOTAL", "2/3", "6", "1m29s", "1.50s", "12G", "1.2G", "763M",
                                      "8.0K", "35M", "251M", "4022", "3.0G"}));
}

TEST(Summary, RunningVmsComeFirstSortedByName) {
  const auto lines = lines_of({named("d", false), named("c"), named("b", false), named("a")});
  std::string order;
  for (const auto& line : lines) {
    order += words_of(line).front() + " ";
  }
  EXPECT_EQ(order, "NAME a c b d TOTAL ");
}

TEST(Summary, AllLinesAreAligned) {
  const auto lines = lines_of({named("a"), named("a-long-name"), named("b", false)});
  const auto column = lines.front().find("  ID") + 2;
  for (std::size_t line = 1; line + 1 < lines.size(); ++line) {
    EXPECT_EQ(lines[line].find("qilviffnqzck2jrim1x6s2b1"), column) << lines[line];
  }
  EXPECT_EQ(lines.back().size(), column - 2);
}

TEST(Summary, WhatCannotBeReadIsADash) {
  auto sample = named("web");
  sample.stat = failure(ETIMEDOUT);
  sample.memory = failure(EIO);
  const auto words = words_of(lines_of({sample})[1]);
  EXPECT_EQ(words.at(1), "-");
  EXPECT_EQ(words.at(2), "-");
  EXPECT_EQ(words.at(8), "-");
}

TEST(Summary, NoNameChangesTheTerminal) {
  for (const std::string name : {"\033[2Jx", "a\nb", "\xc2\x9bm", "a b", ""}) {
    const auto lines = lines_of({named(name)});
    ASSERT_EQ(lines.size(), 3U) << name;
    EXPECT_TRUE(std::ranges::all_of(lines[1], [](char c) { return c >= ' ' && c <= '~'; }));
    EXPECT_EQ(words_of(lines[1]).size(), 15U) << lines[1];
  }
}

TEST(Summary, HasTheSizeThatFollowsFromTheRecords) {
  auto largest = named("largest");
  largest.stat->user_ticks = UINT64_MAX - 94;
  largest.statm->resident_pages = UINT64_MAX / 4096;
  largest.vcpus->back().wait_nanoseconds = UINT64_MAX;
  largest.tap[collector::InterfaceCounter::tx_dropped] = UINT64_MAX;
  largest.disk->allocated_bytes = UINT64_MAX;
  largest.time = std::chrono::system_clock::time_point::max();
  for (const auto& samples : {std::vector<Sample>{},
                              {largest, largest, largest},
                              {named("b", false)},
                              {named(std::string(255, 'x'))}}) {
    EXPECT_EQ(collector::summary(samples, 0).size(), size_for(samples));
    EXPECT_EQ(collector::summary(samples, size_for(samples) + 7).size(), size_for(samples) + 7);
  }
}

TEST(Summary, SizesHaveAUnit) {
  const std::vector<std::pair<std::uint64_t, std::string>> sizes{
      {0, "0"},       {1023, "1023"},    {1024, "1.0K"},          {10188, "9.9K"},
      {10240, "10K"}, {1048575, "1.0M"}, {1023U << 20U, "1023M"}, {UINT64_MAX, "16E"}};
  for (const auto& [bytes, text] : sizes) {
    auto sample = named("web");
    sample.disk->allocated_bytes = bytes;
    EXPECT_EQ(words_of(lines_of({sample})[1]).at(13), text);
  }
}

}  // namespace
}  // namespace hypeman::tests
