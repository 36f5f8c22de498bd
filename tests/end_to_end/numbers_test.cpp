#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGKILL, with kill()
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
const std::string tap_of_id = tap_of(id);

class Numbers : public EndToEndTest {
 protected:
  DataDirectory data;
};

/// Reads the resident and total bytes of a process from /proc/<pid>/statm.
struct Memory {
  unsigned long long total = 0;
  unsigned long long resident = 0;
  explicit Memory(pid_t pid) {
    std::ifstream{"/proc/" + std::to_string(pid) + "/statm"} >> total >> resident;
    const auto page = static_cast<unsigned long long>(::sysconf(_SC_PAGESIZE));
    total *= page;
    resident *= page;
  }
};

TEST_F(Numbers, CpuSecondsMatchTheProcessToTheTick) {
  const auto process = start_stand_in(data.socket(id), /*busy=*/true);
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  ASSERT_TRUE(eventually([&] { return cpu_ticks(process.pid()) > 20; }));

  for (int round = 0; round < 100; ++round) {
    const auto before = cpu_ticks(process.pid());
    const auto seconds = std::stod(mount.value(id, "cpu_seconds"));
    const auto after = cpu_ticks(process.pid());
    const auto ticks = std::round(seconds * static_cast<double>(::sysconf(_SC_CLK_TCK)));
    ASSERT_GE(ticks, static_cast<double>(before));
    ASSERT_LE(ticks, static_cast<double>(after));
  }
}

TEST_F(Numbers, CpuSecondsAreTheShortestDecimal) {
  const auto process = start_stand_in(data.socket(id), /*busy=*/true);
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  ASSERT_TRUE(eventually([&] { return cpu_ticks(process.pid()) > 3; }));

  const auto text = mount.value(id, "cpu_seconds");
  EXPECT_LE(text.size() - text.find('.'), 3U) << text << " has more than two decimals";
  EXPECT_EQ(text.find_first_not_of("0123456789."), std::string::npos) << text;
}

TEST_F(Numbers, MemoryIsStatmTimesThePageSize) {
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};

  const Memory memory{process.pid()};
  EXPECT_EQ(mount.number(id, "memory_rss_bytes"), memory.resident);
  EXPECT_EQ(mount.number(id, "memory_vms_bytes"), memory.total);
  EXPECT_DOUBLE_EQ(std::stod(mount.value(id, "memory_utilization_ratio")),
                   static_cast<double>(memory.resident) / 4294967296.0);
}

TEST_F(Numbers, TrafficIsExactFromTheVmsPointOfView) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.value(id, "network_rx_bytes"), "0");
  ASSERT_EQ(mount.value(id, "network_tx_bytes"), "0");

  unsigned long long sent = 0;
  unsigned long long received = 0;
  for (const std::size_t size : {60U, 61U, 1000U, 1514U}) {
    tap.write_frame(experimental_frame(size));  // the VM sends
    sent += size;
    EXPECT_EQ(mount.number(id, "network_tx_bytes"), sent);
    EXPECT_EQ(mount.number(id, "network_rx_bytes"), received);
    tap.transmit_from_host(experimental_frame(size + 0));  // the VM receives
    received += size;
    EXPECT_EQ(mount.number(id, "network_tx_bytes"), sent);
    EXPECT_EQ(mount.number(id, "network_rx_bytes"), received);
  }
}

TEST_F(Numbers, AllocationsMatchTheMetadata) {
  data.write({.id = id, .size = 3221225472, .hotplug_size = 1073741824, .vcpus = 7});
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.value(id, "allocated_memory_bytes"), "4294967296");
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "7");
  EXPECT_EQ(mount.value(id, "instance_id"), id);
  EXPECT_EQ(mount.value(id, "instance_name"), "my-web-server");
}

TEST_F(Numbers, StoppedInstanceShowsItsAllocationsAndZeros) {
  const Tap leftover{tap_of_id};
  data.write({.id = id, .network_enabled = true});
  const StatsMount mount{data.path()};
  for (const auto* const file :
       {"cpu_seconds", "memory_rss_bytes", "memory_vms_bytes", "network_rx_bytes",
        "network_tx_bytes", "memory_utilization_ratio"}) {
    EXPECT_EQ(mount.value(id, file), "0") << file;
  }
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
}

TEST_F(Numbers, StatsJsonIsTheDocumentedObject) {
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};

  const auto json = nlohmann::ordered_json::parse(mount.read(id, "stats.json").text);
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) {
    keys.push_back(key);
    // Compares numbers by value, because a number can have two shortest decimals.
    const auto text = mount.value(id, key);
    EXPECT_EQ(
        value.is_string() ? nlohmann::ordered_json(text) : nlohmann::ordered_json::parse(text),
        value)
        << key;
  }
  EXPECT_EQ(keys, (std::vector<std::string>{
                      "allocated_memory_bytes", "allocated_vcpus", "cpu_seconds", "instance_id",
                      "instance_name", "memory_rss_bytes", "memory_vms_bytes", "network_rx_bytes",
                      "network_tx_bytes", "memory_utilization_ratio"}));
}

TEST_F(Numbers, StartTimeIsThatOfTheProcessToTheTick) {
  using std::chrono::duration;
  const auto now = [] {
    return duration<double>{std::chrono::system_clock::now().time_since_epoch()}.count();
  };
  constexpr double tick = 0.01;  // the kernel cuts off the rest of a tick
  constexpr double rounding = 0.001;
  const auto before = now();
  const auto process = start_stand_in(data.socket(id));
  const auto after = now();
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  const auto text = mount.value(id, "start_time_seconds");
  EXPECT_GE(std::stod(text), before - tick - rounding) << text;
  EXPECT_LE(std::stod(text), after + rounding) << text;
  for (int again = 0; again < 100; ++again) {
    EXPECT_EQ(mount.value(id, "start_time_seconds"), text);
  }
}

TEST_F(Numbers, StartTimeIsThereOnlyWhileTheVmRuns) {
  auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  const auto is_listed = [&] {
    return std::ranges::count(list(mount / id), "start_time_seconds") == 1;
  };
  EXPECT_TRUE(is_listed());
  process.send_signal(SIGKILL);
  ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  EXPECT_FALSE(is_listed());
  EXPECT_EQ(mount.read(id, "start_time_seconds").error, ENOENT);
  EXPECT_EQ(mount.value(id, "cpu_seconds"), "0");
}

TEST_F(Numbers, RatioIsThereOnlyWhileMemoryIsAllocated) {
  data.write({.id = id, .size = 0});
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.read(id, "memory_utilization_ratio").error, ENOENT);
  EXPECT_EQ(mount.read(id, "stats.json").text.find("ratio"), std::string::npos);

  data.write({.id = id, .size = 1});
  EXPECT_EQ(mount.value(id, "memory_utilization_ratio"), "0");
  data.write({.id = id, .size = 0});
  EXPECT_EQ(mount.read(id, "memory_utilization_ratio").error, ENOENT);
}

TEST_F(Numbers, MissingTapFailsOnlyItsFilesAndIsLoggedOnce) {
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};

  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(mount.read(id, "network_rx_bytes").error, ENODEV);
    const auto json = nlohmann::json::parse(mount.read(id, "stats.json").text);
    EXPECT_EQ(json["network_rx_bytes"], 0);
    EXPECT_GT(json["memory_rss_bytes"], 0);
  }
  ASSERT_TRUE(eventually([&] { return mount.log().find("network traffic") != std::string::npos; }));
  const auto log = mount.log();
  const auto first = log.find("network traffic");
  EXPECT_EQ(log.find("network traffic", first + 1), std::string::npos) << log;
}

TEST_F(Numbers, MissingTapDoesNotFailReadersOfTheWholeTree) {
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto grep = run({"grep", "-r", "-q", "no such text", mount.path().string()});
  EXPECT_EQ(grep.status.code, 1) << grep.err;  // 2: a file cannot be read
  const auto files = list(mount / id);
  EXPECT_EQ(std::ranges::count(files, "network_rx_bytes"), 0);
  EXPECT_EQ(std::ranges::count(files, "network_tx_bytes"), 0);
  EXPECT_EQ(std::ranges::count(files, "cpu_seconds"), 1);
  EXPECT_EQ(read_file(mount / "metrics.prom").text.find("network_rx_bytes_total{"),
            std::string::npos);

  const Tap tap{tap_of_id};
  EXPECT_EQ(std::ranges::count(list(mount / id), "network_rx_bytes"), 1);
}

TEST_F(Numbers, NetworkFilesAreListedWithoutANetworkAndWithoutAProcess) {
  data.write({.id = id, .network_enabled = true});
  const StatsMount mount{data.path()};
  EXPECT_EQ(std::ranges::count(list(mount / id), "network_rx_bytes"), 1);
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  EXPECT_EQ(std::ranges::count(list(mount / id), "network_rx_bytes"), 1);
  EXPECT_EQ(mount.value(id, "network_rx_bytes"), "0");
}

TEST_F(Numbers, NewTapCountsFromZero) {
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  {
    Tap tap{tap_of_id};
    tap.write_frame(experimental_frame(100));
    EXPECT_EQ(mount.value(id, "network_tx_bytes"), "100");
  }
  EXPECT_EQ(mount.read(id, "network_tx_bytes").error, ENODEV);
  Tap tap{tap_of_id};
  EXPECT_EQ(mount.value(id, "network_tx_bytes"), "0");
}

TEST_F(Numbers, NoFileShowsSecretsOfTheMetadata) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  for (const auto& file : list(mount / id)) {
    EXPECT_EQ(mount.read(id, file).text.find(secret), std::string::npos) << file;
  }
}

}  // namespace
}  // namespace hypeman::tests
