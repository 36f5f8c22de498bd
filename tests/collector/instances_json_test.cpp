#include "collector/statistics/instances_json.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "collector/statistics/statistic.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::Sample;

std::size_t size_for(const std::vector<Sample>& samples) {
  std::vector<collector::FoundInstance> instances;
  for (const auto& sample : samples) {
    instances.push_back({.instance = nullptr, .record = sample.record});
  }
  return collector::instances_json_size(instances);
}

std::string text_of(const std::vector<Sample>& samples) {
  return collector::instances_json(samples, size_for(samples));
}

nlohmann::json parse(const std::vector<Sample>& samples) {
  return nlohmann::json::parse(text_of(samples)).at("instances");
}

Sample stopped_sample() {
  auto record = documented_record();
  record.id = "tz4a98xxat96iws9zmbrgj3a";
  return {.record = std::make_shared<const collector::VmRecord>(record),
          .units = {.ticks_per_second = 100, .page_size = 4096},
          .disk = failure(ENOENT),
          .state_without_process = std::string_view{"stopped"}};
}

TEST(InstancesJson, HasEveryStatisticOfARunningVm) {
  const auto sample = whole_sample();
  const auto vm = parse({sample}).at(sample.record->id);
  for (const auto& statistic : collector::statistics()) {
    if (!statistic.is_of_vcpu()) {
      EXPECT_TRUE(vm.contains(statistic.name)) << statistic.name;
    }
  }
  EXPECT_EQ(vm.at("cpu_seconds"), 29.94);
  EXPECT_EQ(vm.at("memory_swap_bytes"), 4096);
  EXPECT_EQ(vm.at("state"), "running");
  EXPECT_EQ(vm.at("vcpus"),
            (nlohmann::json{{"0", {{"cpu_seconds", 1.000000001}, {"wait_seconds", 0.25}}},
                            {"1", {{"cpu_seconds", 2.5}, {"wait_seconds", 0.5}}}}));
}

TEST(InstancesJson, HasOnlyTheStatisticsThatAStoppedVmHas) {
  const auto vm = parse({stopped_sample()}).at("tz4a98xxat96iws9zmbrgj3a");
  EXPECT_EQ(vm, (nlohmann::json{{"allocated_memory_bytes", 4294967296},
                                {"allocated_vcpus", 2},
                                {"cpu_seconds", 0},
                                {"instance_id", "tz4a98xxat96iws9zmbrgj3a"},
                                {"instance_name", "my-web-server"},
                                {"memory_rss_bytes", 0},
                                {"memory_vms_bytes", 0},
                                {"memory_utilization_ratio", 0},
                                {"network_rx_bytes", 0},
                                {"network_tx_bytes", 0},
                                {"state", "stopped"}}));
}

TEST(InstancesJson, LeavesOutWhatCannotBeRead) {
  auto sample = whole_sample();
  sample.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  sample.vcpus = failure(EIO);
  const auto vm = parse({sample}).at(sample.record->id);
  EXPECT_FALSE(vm.contains("network_tx_bytes"));
  EXPECT_FALSE(vm.contains("vcpus"));
  EXPECT_TRUE(vm.contains("network_rx_bytes"));
}

TEST(InstancesJson, OfNoInstancesIsAnEmptyObject) {
  EXPECT_TRUE(parse({}).empty());
  EXPECT_TRUE(parse({}).is_object());
}

TEST(InstancesJson, HasOneLineForEachInstance) {
  const auto text = text_of({stopped_sample(), whole_sample()});
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
  EXPECT_EQ(parse({stopped_sample(), whole_sample()}).size(), 2U);
}

TEST(InstancesJson, EscapesNames) {
  auto record = documented_record();
  record.name = "a\"},\"x\": {\"b\\\n\u00e9";
  EXPECT_EQ(parse({whole_sample(record)}).at(record.id).at("instance_name"), record.name);
}

TEST(InstancesJson, HasTheSizeThatFollowsFromTheRecords) {
  auto largest = whole_sample();
  largest.stat->user_ticks = UINT64_MAX;
  largest.statm->resident_pages = UINT64_MAX / 4096;
  largest.vcpus->back().wait_nanoseconds = UINT64_MAX;
  auto ends_meanwhile = whole_sample();
  ends_meanwhile.running = false;
  for (const auto& samples :
       {std::vector<Sample>{}, {largest}, {ends_meanwhile}, {largest, stopped_sample()}}) {
    const auto text = text_of(samples);
    EXPECT_EQ(text.size(), size_for(samples));
    EXPECT_TRUE(text.ends_with("\n"));
  }
}

}  // namespace
}  // namespace hypeman::tests
