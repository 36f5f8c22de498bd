#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hung_processes.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/stranger.hpp"

namespace hypeman::tests {
namespace {

constexpr auto id = "qilviffnqzck2jrim1x6s2b1";

class RecordedIdentity : public EndToEndTest {
 protected:
  static void expect_not_running(const StatsMount& mount) {
    for (const auto* const file : {"cpu_seconds", "memory_rss_bytes", "memory_vms_bytes"}) {
      EXPECT_EQ(mount.value(id, file), "0") << file;
    }
  }

  /// Waits for the next tick of the clock of start times. Outside of a test, a PID is never used
  /// again within one tick.
  static void end(ChildProcess& process) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    process.send_signal(SIGKILL);
    ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  }

  DataDirectory data;
};

/// The parameter: whether the metadata contains the start time and the boot ID, as in newer
/// versions.
class Identity : public RecordedIdentity, public ::testing::WithParamInterface<bool> {
 protected:
  [[nodiscard]] InstanceRecord record_of(pid_t pid) const {
    if (GetParam()) {
      return running_record(id, pid, data.socket(id));
    }
    return {.id = id, .pid = pid, .socket_path = data.socket(id)};
  }
};

INSTANTIATE_TEST_SUITE_P(Metadata, Identity, ::testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "New" : "Old"; });

TEST_P(Identity, HypervisorIsReported) {
  const auto process = start_stand_in(data.socket(id));
  data.write(record_of(process.pid()));
  const StatsMount mount{data.path()};
  EXPECT_GT(mount.number(id, "memory_rss_bytes"), 0U);
}

TEST_P(Identity, ProcessWithAReusedPidIsNotReported) {
  auto process = start_stand_in(data.socket(id));
  const auto pid = process.pid();
  data.write(record_of(pid));
  const StatsMount mount{data.path()};
  ASSERT_GT(mount.number(id, "memory_rss_bytes"), 0U);  // its files are open now

  end(process);
  const Stranger stranger{pid};
  ASSERT_TRUE(eventually([&] { return cpu_ticks(pid) > 5; }));
  expect_not_running(mount);
}

TEST_P(Identity, PidReusedBeforeTheFirstReadIsNotReported) {
  auto process = start_stand_in(data.socket(id));
  const auto pid = process.pid();
  data.write(record_of(pid));
  end(process);
  const Stranger stranger{pid};
  ASSERT_TRUE(eventually([&] { return cpu_ticks(pid) > 5; }));

  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

TEST_P(Identity, OpenFileNeverShowsAProcessWithAReusedPid) {
  auto process = start_stand_in(data.socket(id));
  const auto pid = process.pid();
  data.write(record_of(pid));
  const StatsMount mount{data.path()};
  const UniqueFd fd{::open((mount / id / "memory_rss_bytes").c_str(), O_RDONLY)};
  std::array<char, 64> buffer{};
  ASSERT_GT(::pread(fd.get(), buffer.data(), buffer.size(), 0), 2);

  end(process);
  const Stranger stranger{pid};
  ASSERT_EQ(::pread(fd.get(), buffer.data(), buffer.size(), 0), 2);
  EXPECT_EQ((std::string_view{buffer.data(), 2}), "0\n");
}

TEST_P(Identity, DeadHypervisorIsNotRunning) {
  auto process = start_stand_in(data.socket(id));
  data.write(record_of(process.pid()));
  const StatsMount mount{data.path()};
  ASSERT_GT(mount.number(id, "memory_rss_bytes"), 0U);
  end(process);
  expect_not_running(mount);
}

TEST_P(Identity, ZombieIsNotRunning) {
  const auto pid = ::fork();
  if (pid == 0) {
    ::execl(std::string{paths::stand_in}.c_str(), "stand_in", "--api-socket",
            data.socket(id).c_str(), nullptr);
    ::_exit(127);
  }
  data.write(record_of(pid));
  const StatsMount mount{data.path()};
  EXPECT_TRUE(eventually([&] { return mount.value(id, "memory_rss_bytes") != "0"; }));
  ::kill(pid, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  expect_not_running(mount);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(RecordedIdentity, ProcessOfAnotherBootIsNotReported) {
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.boot_id = "00000000-0000-4000-8000-000000000000";
  data.write(record);
  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

TEST_F(RecordedIdentity, ProcessThatNamesAnotherSocketIsNotReported) {
  const auto process = start_stand_in(data.socket(id) + ".other");
  data.write({.id = id, .pid = process.pid(), .socket_path = data.socket(id)});
  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

TEST_F(RecordedIdentity, AnotherVmWithTheSamePidAndStartTimeIsNotReported) {
  const auto other_vm = start_stand_in(data.socket("tz4a98xxat96iws9zmbrgj3a"));
  data.write(running_record(id, other_vm.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

TEST_F(RecordedIdentity, ProcessOfAForeignUserIsNotReportedEvenIfItNamesTheSocket) {
  constexpr uid_t nobody = 65534;
  const auto process = ChildProcess::spawn(
      {std::string{paths::stand_in}, "--api-socket", data.socket(id)}, as_unprivileged_user());
  const InstanceRecord record{.id = id, .pid = process.pid(), .socket_path = data.socket(id)};
  data.write(record);
  const StatsMount mount{data.path()};
  const auto command_line = "/proc/" + std::to_string(process.pid()) + "/cmdline";
  ASSERT_TRUE(
      eventually([&] { return read_file(command_line).text.find(id) != std::string::npos; }));
  expect_not_running(mount);

  ASSERT_EQ(::chown(data.instance(id).c_str(), nobody, nobody), 0);
  data.write(record);
  EXPECT_NE(mount.value(id, "memory_rss_bytes"), "0");
}

TEST_F(RecordedIdentity, ProcessWithAnEndlessCommandLineIsNotReported) {
  rlimit stack{};
  ASSERT_EQ(::getrlimit(RLIMIT_STACK, &stack), 0);
  const rlimit large{.rlim_cur = std::min<rlim_t>(stack.rlim_max, rlim_t{32} << 20U),
                     .rlim_max = stack.rlim_max};
  std::vector<std::string> arguments(46, std::string(100'000, 'x'));
  arguments.front() = paths::stand_in;
  arguments.push_back(data.socket(id));
  ASSERT_EQ(::setrlimit(RLIMIT_STACK, &large), 0);  // it limits the arguments too
  const auto process = ChildProcess::spawn(arguments);
  ASSERT_EQ(::setrlimit(RLIMIT_STACK, &stack), 0);
  data.write({.id = id, .pid = process.pid(), .socket_path = data.socket(id)});
  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

TEST_F(RecordedIdentity, CommandLineThatHangsCostsOnlyTheReadersOfItsVm) {
  constexpr auto other_id = "tz4a98xxat96iws9zmbrgj3a";
  const auto hung_id = [](int number) { return "hung" + std::to_string(number); };
  constexpr int count = 8;
  HungProcesses hung;
  for (int number = 0; number < count; ++number) {
    const auto socket = data.socket(hung_id(number));
    data.write({.id = hung_id(number), .pid = hung.start(socket), .socket_path = socket});
  }
  const auto process = start_stand_in(data.socket(other_id));
  data.write({.id = other_id, .pid = process.pid(), .socket_path = data.socket(other_id)});
  const StatsMount mount{data.path()};
  for (int number = 0; number < count; ++number) {
    EXPECT_EQ(mount.read(hung_id(number), "memory_rss_bytes").error, ETIMEDOUT);
    EXPECT_NE(mount.value(other_id, "memory_rss_bytes"), "0");
    EXPECT_EQ(mount.read(hung_id(number), "stats.json").error, ETIMEDOUT);
    EXPECT_EQ(mount.read(hung_id(number), "state").error, ETIMEDOUT);
  }
  EXPECT_EQ(mount.instances().size(), static_cast<std::size_t>(count + 1));
  const auto metrics = read_file(mount / "metrics.prom");
  EXPECT_NE(metrics.text.find(other_id), std::string::npos);
  hung.release();
  for (int number = 0; number < count; ++number) {
    EXPECT_TRUE(
        eventually([&] { return mount.read(hung_id(number), "memory_rss_bytes").error == 0; }));
    EXPECT_NE(mount.value(hung_id(number), "memory_rss_bytes"), "0");
  }
}

TEST_F(RecordedIdentity, OldMetadataWithoutASocketPathMatchesNoProcess) {
  const auto process = start_stand_in(data.socket(id));
  data.write({.id = id, .pid = process.pid()});
  const StatsMount mount{data.path()};
  expect_not_running(mount);
}

}  // namespace
}  // namespace hypeman::tests
