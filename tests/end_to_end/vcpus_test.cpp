#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/system_call_trace.hpp"
#include "tests/support/threads.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
constexpr std::uint64_t millisecond = 1'000'000;
using Names = std::vector<std::string>;

/// Instances whose hypervisor is a stand-in with threads that have names.
class Vcpus : public EndToEndTest {
 protected:
  void write_record(pid_t pid, std::uint64_t vcpus) const {
    auto record = running_record(id, pid, data.socket(id));
    record.vcpus = vcpus;
    data.write(record);
  }

  /// A file with seconds, in nanoseconds.
  [[nodiscard]] static std::uint64_t nanoseconds(const StatsMount& mount, const std::string& file) {
    constexpr double per_second = 1e9;
    return static_cast<std::uint64_t>(std::llround(std::stod(mount.value(id, file)) * per_second));
  }

  [[nodiscard]] static ThreadTimes shown(const StatsMount& mount, unsigned vcpu) {
    const auto directory = "vcpus/" + std::to_string(vcpu);
    return {.run = nanoseconds(mount, directory + "/cpu_seconds"),
            .wait = nanoseconds(mount, directory + "/wait_seconds")};
  }

  /// The directories in vcpus/.
  [[nodiscard]] static Names listed(const StatsMount& mount) { return list(mount / id / "vcpus"); }

  /// Waits until a thread has used CPU time, and makes it idle again.
  static void use_cpu_time(const ThreadedStandIn& vm, std::string_view thread) {
    const auto before = vm.times(thread).run;
    vm.toggle_busy(thread);
    ASSERT_TRUE(eventually([&] { return vm.times(thread).run >= before + 20 * millisecond; }));
    vm.toggle_busy(thread);
    vm.await_idle(thread);
  }

  static void expect_no_vcpus(const StatsMount& mount) {
    const auto names = list(mount / id);
    EXPECT_EQ(std::ranges::count(names, "vcpus"), 0);
    EXPECT_EQ(std::ranges::count(names, "cpu_wait_seconds"), 0);
    EXPECT_EQ(mount.read(id, "cpu_wait_seconds").error, ENOENT);
    EXPECT_EQ(mount.read(id, "vcpus/0/cpu_seconds").error, ENOENT);
    EXPECT_FALSE(std::filesystem::exists(mount / id / "vcpus"));
    std::error_code error;
    const std::filesystem::directory_iterator vcpus{mount / id / "vcpus", error};
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
    EXPECT_FALSE(json.at("instances").at(id).contains("vcpus"));
    EXPECT_FALSE(json.at("instances").at(id).contains("cpu_wait_seconds"));
  }

  DataDirectory data;
};

class NamesOfVcpuThreads : public Vcpus, public ::testing::WithParamInterface<Names> {};

// The second vCPU is created first, so the order of creation would be wrong.
TEST_P(NamesOfVcpuThreads, TellTheNumbersOfTheVcpus) {
  const auto& [zero, one] = std::pair{GetParam().at(0), GetParam().at(1)};
  ThreadedStandIn vm{data.socket(id), {"vmm", one, zero, "vcpu-manager", "vcpu"}};
  write_record(vm.pid(), 2);
  use_cpu_time(vm, one);
  use_cpu_time(vm, "vmm");
  const StatsMount mount{data.path()};

  EXPECT_EQ(listed(mount), (Names{"0", "1"}));
  EXPECT_EQ(list(mount / id / "vcpus" / "0"), (Names{"cpu_seconds", "wait_seconds"}));
  EXPECT_EQ(shown(mount, 0), vm.times(zero));
  EXPECT_EQ(shown(mount, 1), vm.times(one));
  EXPECT_EQ(nanoseconds(mount, "cpu_wait_seconds"), vm.times(zero).wait + vm.times(one).wait);
}

INSTANTIATE_TEST_SUITE_P(CloudHypervisor, NamesOfVcpuThreads,
                         ::testing::Values(Names{"vcpu0", "vcpu1"}));
INSTANTIATE_TEST_SUITE_P(Firecracker, NamesOfVcpuThreads,
                         ::testing::Values(Names{"fc_vcpu 0", "fc_vcpu 1"}));
INSTANTIATE_TEST_SUITE_P(Qemu, NamesOfVcpuThreads,
                         ::testing::Values(Names{"CPU 0/KVM", "CPU 1/KVM"}));

TEST_F(Vcpus, TimesFollowABusyThread) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0"}};
  write_record(vm.pid(), 1);
  const StatsMount mount{data.path()};
  vm.toggle_busy("vcpu0");
  const auto first = shown(mount, 0);
  for (int round = 0; round < 100; ++round) {
    const auto before = vm.times("vcpu0");
    const auto now = shown(mount, 0);
    const auto after = vm.times("vcpu0");
    ASSERT_GE(now.run, before.run);
    ASSERT_LE(now.run, after.run);
    ASSERT_GE(now.wait, before.wait);
    ASSERT_LE(now.wait, after.wait);
  }
  EXPECT_GT(shown(mount, 0).run, first.run);
}

TEST_F(Vcpus, WaitGrowsUnderContentionByWhatTheKernelCounts) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}};
  const auto other = start_stand_in("/another", /*busy=*/true);
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  const auto wait_of_threads = [&] { return vm.times("vcpu0").wait + vm.times("vcpu1").wait; };
  for (const auto thread : {vm.tid("vcpu0"), vm.tid("vcpu1"), other.pid()}) {
    pin_to_one_cpu(thread);
  }
  const auto first = nanoseconds(mount, "cpu_wait_seconds");
  EXPECT_EQ(first, wait_of_threads());

  vm.toggle_busy("vcpu0");
  vm.toggle_busy("vcpu1");
  for (const auto* const thread : {"vcpu0", "vcpu1"}) {
    const auto before = vm.times(thread).wait;
    ASSERT_TRUE(eventually([&] { return vm.times(thread).wait > before + 50 * millisecond; }));
  }
  const auto before = wait_of_threads();
  const auto shown_sum = nanoseconds(mount, "cpu_wait_seconds");
  EXPECT_GE(shown_sum, before);
  EXPECT_LE(shown_sum, wait_of_threads());
  EXPECT_GE(shown_sum, first + 100 * millisecond);

  vm.toggle_busy("vcpu0");
  vm.toggle_busy("vcpu1");
  vm.await_idle("vcpu0");
  vm.await_idle("vcpu1");
  EXPECT_EQ(nanoseconds(mount, "cpu_wait_seconds"), wait_of_threads());
  EXPECT_EQ(shown(mount, 0), vm.times("vcpu0"));
  EXPECT_EQ(shown(mount, 1), vm.times("vcpu1"));
}

// An idle vCPU does not wait, even if another process uses its CPU.
TEST_F(Vcpus, WaitStaysTheSameWhileTheVcpusAreIdle) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}};
  const auto other = start_stand_in("/another", /*busy=*/true);
  for (const auto thread : {vm.tid("vcpu0"), vm.tid("vcpu1"), other.pid()}) {
    pin_to_one_cpu(thread);
  }
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  const auto before = mount.value(id, "cpu_wait_seconds");
  const auto ticks = cpu_ticks(other.pid());
  ASSERT_TRUE(eventually([&] { return cpu_ticks(other.pid()) > ticks + 20; }));
  EXPECT_EQ(mount.value(id, "cpu_wait_seconds"), before);
}

TEST_F(Vcpus, EndedThreadKeepsItsTimesAndItsSuccessorAddsToThem) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}, {"vcpu1"}};
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  use_cpu_time(vm, "vcpu1");
  const auto last = shown(mount, 1);
  const auto sum = nanoseconds(mount, "cpu_wait_seconds");
  EXPECT_EQ(last, vm.times("vcpu1"));

  vm.end("vcpu1");
  EXPECT_EQ(listed(mount), (Names{"0", "1"}));
  EXPECT_EQ(shown(mount, 1), last);
  EXPECT_EQ(nanoseconds(mount, "cpu_wait_seconds"), sum);

  vm.start_next();
  use_cpu_time(vm, "vcpu1");
  const auto successor = vm.times("vcpu1");
  const ThreadTimes both{.run = last.run + successor.run, .wait = last.wait + successor.wait};
  EXPECT_TRUE(eventually([&] { return shown(mount, 1) == both; }))
      << shown(mount, 1).run << " instead of " << both.run;
}

TEST_F(Vcpus, ThreadThatAppearsLaterIsFound) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}, {"vcpu2"}};
  write_record(vm.pid(), 3);
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), (Names{"0", "1"}));
  EXPECT_EQ(mount.read(id, "vcpus/2/cpu_seconds").error, ENOENT);
  EXPECT_FALSE(std::filesystem::exists(mount / id / "vcpus" / "2"));

  vm.start_next();
  EXPECT_TRUE(eventually([&] { return listed(mount) == Names{"0", "1", "2"}; }));
  EXPECT_EQ(shown(mount, 2), vm.times("vcpu2"));
}

TEST_F(Vcpus, MissingThreadsAreLookedForAtMostOncePerSecond) {
  const ThreadedStandIn vm{data.socket(id), {"vcpu0"}};
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  const auto start = std::chrono::steady_clock::now();
  SystemCallTrace trace{mount.worker_pid(), "getdents64"};
  for (int read = 0; read < 200; ++read) {
    ASSERT_EQ(mount.read(id, "vcpus/0/cpu_seconds").error, 0);
  }
  const auto& calls = trace.lines();
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
  const auto of_threads = std::ranges::count_if(
      calls, [](const std::string& line) { return line.find("/task>") != std::string::npos; });
  EXPECT_GT(of_threads, 0);
  EXPECT_LE(of_threads, 2 * (seconds.count() + 1)) << "two calls list a directory";
}

TEST_F(Vcpus, RecordTellsHowManyThereAre) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}};
  write_record(vm.pid(), 1);
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), (Names{"0"}));
  EXPECT_EQ(mount.read(id, "vcpus/1/cpu_seconds").error, ENOENT);
  EXPECT_EQ(nanoseconds(mount, "cpu_wait_seconds"), vm.times("vcpu0").wait);

  write_record(vm.pid(), 2);  // hotplug
  EXPECT_TRUE(eventually([&] { return listed(mount) == Names{"0", "1"}; }));
  EXPECT_EQ(shown(mount, 1), vm.times("vcpu1"));
  write_record(vm.pid(), 1);
  EXPECT_EQ(listed(mount), (Names{"0"}));
}

TEST_F(Vcpus, OnlyUsualNumbersAreNames) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}};
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  for (const auto* const name : {"00", "01", "+1", "2", "-1", "1x", "65536", "4294967296", "x"}) {
    EXPECT_EQ(mount.read(id, std::string{"vcpus/"} + name + "/cpu_seconds").error, ENOENT) << name;
  }
  EXPECT_EQ(mount.read(id, "vcpus/1/memory_rss_bytes").error, ENOENT);
  EXPECT_EQ(mount.read(id, "wait_seconds").error, ENOENT);
}

TEST_F(Vcpus, AreAbsentIfNoThreadHasTheNameOfOne) {
  ThreadedStandIn vm{data.socket(id), {"vmm", "worker"}};
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  expect_no_vcpus(mount);
}

TEST_F(Vcpus, AreAbsentOnceTheVmHasStopped) {
  ThreadedStandIn vm{data.socket(id), {"vcpu0", "vcpu1"}};
  write_record(vm.pid(), 2);
  const StatsMount mount{data.path()};
  EXPECT_EQ(listed(mount), (Names{"0", "1"}));
  vm.process().send_signal(SIGKILL);
  ASSERT_TRUE(vm.process().wait(std::chrono::seconds{10}));
  expect_no_vcpus(mount);
}

TEST_F(Vcpus, RestartCountsFromZero) {
  const StatsMount mount{data.path()};
  {
    ThreadedStandIn first{data.socket(id), {"vcpu0"}};
    write_record(first.pid(), 1);
    use_cpu_time(first, "vcpu0");
    EXPECT_EQ(shown(mount, 0), first.times("vcpu0"));
  }
  const ThreadedStandIn second{data.socket(id), {"vcpu0"}};
  write_record(second.pid(), 1);
  EXPECT_EQ(shown(mount, 0), second.times("vcpu0"));
}

}  // namespace
}  // namespace hypeman::tests
