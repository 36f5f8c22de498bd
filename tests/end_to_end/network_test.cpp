#include <algorithm>
#include <cerrno>
#include <map>
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

/// The file that shows a counter of the TAP: the VM receives what the host sends.
const std::map<std::string, std::string> counter_of_file{
    {"network_rx_bytes", "tx_bytes"},     {"network_tx_bytes", "rx_bytes"},
    {"network_rx_packets", "tx_packets"}, {"network_tx_packets", "rx_packets"},
    {"network_rx_errors", "tx_errors"},   {"network_tx_errors", "rx_errors"},
    {"network_rx_dropped", "tx_dropped"}, {"network_tx_dropped", "rx_dropped"},
};

/// A VM that runs and has a TAP in its record.
class Network : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    write_record(/*network_enabled=*/true);
  }

  void write_record(bool network_enabled) const {
    auto record = running_record(id, process.pid(), data.socket(id));
    record.network_enabled = network_enabled;
    data.write(record);
  }

  static void expect_files_equal(const StatsMount& mount, const Tap& tap) {
    const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
    for (const auto& [file, counter] : counter_of_file) {
      EXPECT_EQ(mount.number(id, file), tap.counter(counter)) << file;
      EXPECT_EQ(json.at("instances").at(id).at(file), tap.counter(counter)) << file;
    }
  }

  [[nodiscard]] static long listed(const StatsMount& mount) {
    return std::ranges::count_if(
        list(mount / id), [](const std::string& name) { return name.starts_with("network_"); });
  }

  DataDirectory data;
  ChildProcess process = start_stand_in(data.socket(id));
};

TEST_F(Network, FilesAreTheCountersOfTheTapFromTheVmsPointOfView) {
  Tap tap{tap_of(id)};
  const StatsMount mount{data.path()};
  for (int frame = 0; frame < 3; ++frame) {
    tap.write_frame(unanswered_arp_frame(100));  // the VM sends
  }
  tap.transmit_from_host(unanswered_arp_frame(60));
  EXPECT_EQ(mount.number(id, "network_tx_packets"), 3);
  EXPECT_EQ(mount.number(id, "network_rx_packets"), 1);
  expect_files_equal(mount, tap);
}

TEST_F(Network, PacketsThatTheVmDoesNotReadInTimeAreDroppedForIt) {
  Tap tap{tap_of(id)};
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.number(id, "network_rx_dropped"), 0);
  tap.overflow_from_host();
  EXPECT_GT(mount.number(id, "network_rx_dropped"), 0);
  EXPECT_EQ(mount.number(id, "network_tx_dropped"), 0);
  expect_files_equal(mount, tap);
}

// The kernel of the host drops packets of a protocol that it does not know.
TEST_F(Network, PacketsThatTheHostDoesNotTakeAreDroppedFromTheVm) {
  Tap tap{tap_of(id)};
  const StatsMount mount{data.path()};
  tap.write_frame(experimental_frame(100));
  ASSERT_TRUE(eventually([&] { return tap.counter("rx_dropped") > 0; }));
  EXPECT_EQ(mount.number(id, "network_tx_dropped"), 1);
  EXPECT_EQ(mount.number(id, "network_rx_dropped"), 0);
  expect_files_equal(mount, tap);
}

TEST_F(Network, MissingTapHidesAllItsFiles) {
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), 0);
  const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
  for (const auto& [file, counter] : counter_of_file) {
    EXPECT_EQ(mount.read(id, file).error, ENODEV) << file;
    EXPECT_FALSE(json.at("instances").at(id).contains(file)) << file;
  }
  const Tap tap{tap_of(id)};
  EXPECT_EQ(listed(mount), 8);
  expect_files_equal(mount, tap);
}

TEST_F(Network, TapThatGoesAwayHidesAllItsFiles) {
  const StatsMount mount{data.path()};
  {
    Tap tap{tap_of(id)};
    tap.write_frame(unanswered_arp_frame(100));
    expect_files_equal(mount, tap);
  }
  EXPECT_EQ(listed(mount), 0);
  for (const auto& [file, counter] : counter_of_file) {
    EXPECT_EQ(mount.read(id, file).error, ENODEV) << file;
  }
}

TEST_F(Network, VmWithoutANetworkShowsZeros) {
  write_record(/*network_enabled=*/false);
  const Tap leftover{tap_of(id)};
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), 8);
  for (const auto& [file, counter] : counter_of_file) {
    EXPECT_EQ(mount.value(id, file), "0") << file;
  }
}

TEST_F(Network, StoppedVmHasOnlyTheDocumentedFiles) {
  const Tap leftover{tap_of(id)};
  data.write({.id = id, .network_enabled = true});
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), 2);
  for (const auto& [file, counter] : counter_of_file) {
    const bool is_documented = file.ends_with("_bytes");
    EXPECT_EQ(mount.read(id, file), is_documented ? (ReadResult{.error = 0, .text = "0\n"})
                                                  : (ReadResult{.error = ENOENT, .text = {}}))
        << file;
  }
}

}  // namespace
}  // namespace hypeman::tests
