#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/running_vm.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/threads.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('w');
constexpr int attempts = 200;
constexpr double nanoseconds_per_second = 1e9;

/// The numbers that are there only while a VM runs, and where the kernel shows them.
struct ProcessNumbers {
  std::uint64_t major_faults = 0;
  std::uint64_t guest_ticks = 0;
  std::uint64_t rss_anon = 0;
  std::uint64_t rss_file = 0;
  std::uint64_t rss_shmem = 0;
  std::uint64_t swap = 0;

  friend bool operator==(const ProcessNumbers&, const ProcessNumbers&) = default;
};

/// A size in /proc/<pid>/status, in bytes.
std::uint64_t status_size(pid_t pid, const std::string& label) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(label + ":")) {
      constexpr std::uint64_t kibibyte = 1024;
      return std::stoull(line.substr(label.size() + 1)) * kibibyte;
    }
  }
  throw std::runtime_error("no " + label);
}

ProcessNumbers of_process(pid_t pid) {
  constexpr int major_faults_field = 12;
  constexpr int guest_time_field = 43;
  return {.major_faults = stat_field(pid, major_faults_field),
          .guest_ticks = stat_field(pid, guest_time_field),
          .rss_anon = status_size(pid, "RssAnon"),
          .rss_file = status_size(pid, "RssFile"),
          .rss_shmem = status_size(pid, "RssShmem"),
          .swap = status_size(pid, "VmSwap")};
}

/// CLOCK_REALTIME at the boot of the host, in seconds.
double boot_time() {
  const auto seconds = [](clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) +
           static_cast<double>(now.tv_nsec) / nanoseconds_per_second;
  };
  return seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME);
}

/// A VM with all the numbers that a real one has. QEMU names its threads. The tests share the VM,
/// because its boot takes most of the time.
class WholeVmTest : public EndToEndTest {
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

  static VirtualMachine& machine() { return host->vm.machine(); }
  static Tap& tap() { return host->vm.tap(); }
  static const StatsMount& mount() { return host->mount; }
  static const DataDirectory& data() { return host->data; }

  static pid_t vcpu_thread() {
    for (const char* name : {"CPU 0/TCG", "CPU 0/KVM"}) {
      if (const auto found = find_thread(machine().pid(), name)) {
        return *found;
      }
    }
    throw std::runtime_error("QEMU has no thread with the name of a vCPU");
  }

  /// A file with seconds, in the unit of which there are `per_second`.
  static std::uint64_t in_units(const std::string& file, double per_second) {
    return static_cast<std::uint64_t>(
        std::llround(std::stod(mount().value(id, file)) * per_second));
  }

  static ProcessNumbers shown() {
    return {
        .major_faults = mount().number(id, "memory_major_faults"),
        .guest_ticks = in_units("cpu_guest_seconds", static_cast<double>(::sysconf(_SC_CLK_TCK))),
        .rss_anon = mount().number(id, "memory_rss_anon_bytes"),
        .rss_file = mount().number(id, "memory_rss_file_bytes"),
        .rss_shmem = mount().number(id, "memory_rss_shmem_bytes"),
        .swap = mount().number(id, "memory_swap_bytes")};
  }

  static void expect_times_of(pid_t thread) {
    const ThreadTimes before = thread_times(machine().pid(), thread);
    const std::uint64_t run = in_units("vcpus/0/cpu_seconds", nanoseconds_per_second);
    const std::uint64_t wait = in_units("vcpus/0/wait_seconds", nanoseconds_per_second);
    const std::uint64_t sum = in_units("cpu_wait_seconds", nanoseconds_per_second);
    const ThreadTimes after = thread_times(machine().pid(), thread);
    EXPECT_GE(run, before.run);
    EXPECT_LE(run, after.run);
    EXPECT_GE(wait, before.wait);
    EXPECT_LE(wait, after.wait);
    EXPECT_GE(sum, before.wait);
    EXPECT_LE(sum, after.wait);
  }

 private:
  struct Host {
    DataDirectory data;
    RunningVm vm{data, guest_image(), id, ThreadNames::on};
    StatsMount mount{data.path()};
  };

  static inline std::unique_ptr<Host> host;
};

TEST_F(WholeVmTest, VcpuFilesAreTheTimesOfTheThreadThatRunsIt) {
  EXPECT_EQ(list(mount() / id / "vcpus"), (std::vector<std::string>{"0"}));
  const pid_t thread = vcpu_thread();
  expect_times_of(thread);
  const std::uint64_t before = in_units("vcpus/0/cpu_seconds", nanoseconds_per_second);
  machine().burn(std::chrono::seconds(1));
  EXPECT_GT(in_units("vcpus/0/cpu_seconds", nanoseconds_per_second), before);
  expect_times_of(thread);
}

TEST_F(WholeVmTest, ProcessFilesMatchTheProcess) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const ProcessNumbers before = of_process(machine().pid());
    const ProcessNumbers now = shown();
    if (before == of_process(machine().pid())) {
      EXPECT_EQ(now, before) << now.rss_anon << " " << before.rss_anon;
      EXPECT_GT(now.rss_anon, 0);
      return;
    }
  }
  FAIL() << "the numbers of the process never stayed the same for the time of the reads";
}

TEST_F(WholeVmTest, StartTimeIsThatOfTheProcess) {
  const auto ticks = static_cast<double>(start_time_ticks(machine().pid()));
  const double started = boot_time() + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_NEAR(std::stod(mount().value(id, "start_time_seconds")), started, 0.01);
  EXPECT_EQ(mount().value(id, "state"), "running");
}

TEST_F(WholeVmTest, PacketFilesAreTheCountersOfTheGuest) {
  machine().send_frames(3);
  for (const std::size_t size : {60U, 1514U}) {
    tap().transmit_from_host(unanswered_arp_frame(size));
  }
  ASSERT_TRUE(eventually([&] { return machine().counters().rx_packets == 2; }));
  const GuestCounters guest = machine().counters();
  EXPECT_EQ(guest.tx_packets, 3);
  const GuestCounters files{.rx_bytes = mount().number(id, "network_rx_bytes"),
                            .rx_packets = mount().number(id, "network_rx_packets"),
                            .rx_errors = mount().number(id, "network_rx_errors"),
                            .rx_dropped = mount().number(id, "network_rx_dropped"),
                            .tx_bytes = mount().number(id, "network_tx_bytes"),
                            .tx_packets = mount().number(id, "network_tx_packets"),
                            .tx_errors = mount().number(id, "network_tx_errors"),
                            .tx_dropped = mount().number(id, "network_tx_dropped")};
  EXPECT_EQ(files, guest);
}

TEST_F(WholeVmTest, DiskFilesShowTheDiskBesideTheRecord) {
  data().create_overlay(id, 1 << 30);
  EXPECT_EQ(mount().value(id, "disk_size_bytes"), "1073741824");
  EXPECT_LT(mount().number(id, "disk_allocated_bytes"), 1 << 20);
}

TEST_F(WholeVmTest, InstancesJsonHoldsEverythingOfTheVm) {
  data().create_overlay(id, 1 << 30);
  const auto all = nlohmann::json::parse(read_file(mount() / "instances.json").text);
  const auto& vm = all.at("instances").at(id);
  for (const std::string& name : list(mount() / id)) {
    EXPECT_TRUE(name == "stats.json" || vm.contains(name)) << name;
  }
  EXPECT_GT(vm.at("vcpus").at("0").at("cpu_seconds"), 0);
}

}  // namespace
}  // namespace hypeman::tests
