#include "tests/support/virtual_machine.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/running_vm.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('v');
constexpr int attempts = 200;

struct Memory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t vms_bytes = 0;

  friend bool operator==(const Memory&, const Memory&) = default;
};

/// From the VM's point of view: rx counts what the guest has received.
struct Traffic {
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_bytes = 0;

  friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// The numbers of the kernel, read without the code of the collector.
Memory memory_of(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(statm >> size >> resident)) {
    throw std::runtime_error("no memory of process " + std::to_string(pid));
  }
  const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {.rss_bytes = resident * page_size, .vms_bytes = size * page_size};
}

/// A VM without names of threads. The tests share it, because its boot takes most of the time.
class VirtualMachineTest : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    if (host == nullptr) {
      host = std::make_unique<Host>();
      await_first_check(mount(), id);
    }
  }

  static void TearDownTestSuite() { host.reset(); }

  static VirtualMachine& machine() { return host->vm->machine(); }
  static RunningVm& vm() { return *host->vm; }
  static const StatsMount& mount() { return host->mount; }
  static const DataDirectory& data() { return host->data; }

  /// Deletes the VM and its TAP, as Hypeman does, and starts it again.
  static void restart() {
    host->vm.reset();
    host->vm = std::make_unique<RunningVm>(host->data, host->image, id);
    await_first_check(mount(), id);
  }

  static Traffic network_files() {
    return {.rx_bytes = mount().number(id, "network_rx_bytes"),
            .tx_bytes = mount().number(id, "network_tx_bytes")};
  }

  /// cpu_seconds in ticks. The test fails if this is not a whole number.
  static std::uint64_t cpu_file_in_ticks() {
    const double ticks =
        std::stod(mount().value(id, "cpu_seconds")) * static_cast<double>(::sysconf(_SC_CLK_TCK));
    EXPECT_NEAR(ticks, std::round(ticks), 1e-6);
    return static_cast<std::uint64_t>(std::llround(ticks));
  }

  /// Reads the process before and after the file, until both show the same.
  static void expect_cpu_file_is_that_of_the_process() {
    for (int attempt = 0; attempt < attempts; ++attempt) {
      const std::uint64_t before = cpu_ticks(machine().pid());
      const std::uint64_t shown = cpu_file_in_ticks();
      const std::uint64_t after = cpu_ticks(machine().pid());
      ASSERT_GE(shown, before);
      ASSERT_LE(shown, after);
      if (before == after) {
        return;
      }
    }
    FAIL() << "the guest was never idle for the time of one read";
  }

 private:
  struct Host {
    DataDirectory data;
    std::filesystem::path image = guest_image();
    std::unique_ptr<RunningVm> vm = std::make_unique<RunningVm>(data, image, id);
    StatsMount mount{data.path()};
  };

  static inline std::unique_ptr<Host> host;
};

TEST_F(VirtualMachineTest, NetworkFilesCountExactlyTheBytesOfTheGuest) {
  EXPECT_EQ(network_files(), Traffic{});

  machine().send_frames(7);
  EXPECT_EQ(network_files(), (Traffic{.rx_bytes = 0, .tx_bytes = 7 * VirtualMachine::frame_size}));

  for (const std::size_t size : {60U, 61U, 1514U}) {
    vm().tap().transmit_from_host(experimental_frame(size));
  }
  constexpr std::uint64_t received = 60 + 61 + 1514;
  EXPECT_TRUE(eventually([&] { return machine().counters().rx_bytes == received; }));
  EXPECT_EQ(network_files(),
            (Traffic{.rx_bytes = received, .tx_bytes = 7 * VirtualMachine::frame_size}));

  machine().send_frames(1);
  const GuestCounters guest = machine().counters();
  EXPECT_EQ(network_files(), (Traffic{.rx_bytes = guest.rx_bytes, .tx_bytes = guest.tx_bytes}));
  const auto json = nlohmann::json::parse(mount().read(id, "stats.json").text);
  EXPECT_EQ(json.at("network_rx_bytes"), guest.rx_bytes);
  EXPECT_EQ(json.at("network_tx_bytes"), guest.tx_bytes);
}

TEST_F(VirtualMachineTest, CpuFileMatchesTheProcessToTheTick) {
  expect_cpu_file_is_that_of_the_process();
  const std::uint64_t before = cpu_file_in_ticks();
  machine().burn(std::chrono::seconds(1));
  EXPECT_GT(cpu_file_in_ticks(), before);
  expect_cpu_file_is_that_of_the_process();
}

TEST_F(VirtualMachineTest, MemoryFilesMatchTheProcess) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const Memory before = memory_of(machine().pid());
    const Memory shown{.rss_bytes = mount().number(id, "memory_rss_bytes"),
                       .vms_bytes = mount().number(id, "memory_vms_bytes")};
    if (before == memory_of(machine().pid())) {
      EXPECT_EQ(shown, before);
      return;
    }
  }
  FAIL() << "the process never kept its memory for the time of two reads";
}

TEST_F(VirtualMachineTest, AnOlderRecordIsEnoughToFindTheProcess) {
  InstanceRecord older = vm().record();
  older.start_time_ticks.reset();
  older.boot_id.reset();
  data().write_in_place(id, metadata_json(older));
  expect_cpu_file_is_that_of_the_process();
}

// With KVM, the thread of the vCPU is the one that has run guest code. With TCG, nothing tells.
TEST_F(VirtualMachineTest, VcpusAreThereOnlyIfNamesOrGuestTimeShowTheirThreads) {
  const auto names = list(mount() / id);
  // Newer versions of QEMU always name their threads.
  const auto tasks = std::filesystem::path{"/proc"} / std::to_string(machine().pid()) / "task";
  const auto is_named = [&](const std::string& tid) {
    return read_file(tasks / tid / "comm").text.starts_with("CPU 0/");
  };
  const bool are_known =
      std::ranges::any_of(list(tasks), is_named) || mount().value(id, "cpu_guest_seconds") != "0";
  EXPECT_EQ(std::ranges::count(names, "vcpus") == 1, are_known);
  EXPECT_EQ(std::ranges::count(names, "cpu_wait_seconds") == 1, are_known);
  EXPECT_EQ(mount().read(id, "cpu_wait_seconds").error, are_known ? 0 : ENOENT);
  EXPECT_EQ(mount().read(id, "vcpus/0/cpu_seconds").error, are_known ? 0 : ENOENT);
  EXPECT_EQ(std::filesystem::exists(mount() / id / "vcpus"), are_known);
}

TEST_F(VirtualMachineTest, NextReadShowsAStopAndARestart) {
  machine().send_frames(1);
  const pid_t first = machine().pid();
  const double first_start = std::stod(mount().value(id, "start_time_seconds"));
  EXPECT_EQ(mount().value(id, "state"), "running");
  machine().power_off();
  EXPECT_EQ(mount().value(id, "state"), "stopped");
  InstanceRecord stopped = vm().record();
  stopped.pid.reset();
  stopped.start_time_ticks.reset();
  stopped.boot_id.reset();
  data().write(stopped);
  for (const char* file : {"cpu_seconds", "memory_rss_bytes", "memory_vms_bytes",
                           "network_rx_bytes", "network_tx_bytes"}) {
    EXPECT_EQ(mount().value(id, file), "0") << file;
  }

  restart();
  EXPECT_NE(machine().pid(), first);
  EXPECT_EQ(mount().value(id, "state"), "running");
  EXPECT_GT(std::stod(mount().value(id, "start_time_seconds")), first_start);
  EXPECT_EQ(network_files(), Traffic{});
  expect_cpu_file_is_that_of_the_process();
  machine().send_frames(2);
  EXPECT_EQ(network_files(), (Traffic{.rx_bytes = 0, .tx_bytes = 2 * VirtualMachine::frame_size}));
}

}  // namespace
}  // namespace hypeman::tests
