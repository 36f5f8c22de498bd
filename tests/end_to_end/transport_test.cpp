// The two ways in which requests reach the daemon: FUSE over io_uring, and /dev/fuse.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fuse_lowlevel.h>
#include <gtest/gtest.h>
#include <sysexits.h>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/machine_lock.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/unanswered_mount.hpp"

namespace hypeman::tests {
namespace {

constexpr auto id = "qilviffnqzck2jrim1x6s2b1";
constexpr std::string_view module_parameter = "/sys/module/fuse/parameters/enable_uring";
constexpr std::string_view sysctl = "/proc/sys/kernel/io_uring_disabled";

std::string first_line(std::string_view path) {
  std::ifstream file{std::string{path}};
  std::string line;
  std::getline(file, line);
  return line;
}

/// A setting of the kernel. The destructor restores the old value.
class Setting {
 public:
  Setting(std::string_view path, const std::string& value) : path_{path}, old_{first_line(path)} {
    write(value);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  Setting(Setting&&) = delete;
  Setting& operator=(Setting&&) = delete;
  ~Setting() { write(old_); }

 private:
  void write(const std::string& value) const { std::ofstream{path_} << value << '\n'; }

  std::string path_;
  std::string old_;
};

/// A control group whose processes may use only one CPU. The destructor removes it.
class CpusetGroup {
 public:
  explicit CpusetGroup(int cpu) {
    if (std::filesystem::exists(version_1)) {
      parent_ = version_1;
    } else {
      std::ofstream{parent_ / "cgroup.subtree_control"} << "+cpuset\n";
    }
    path_ = parent_ / ("hypeman-test-" + std::to_string(::getpid()));
    std::filesystem::create_directory(path_);
    std::ofstream{path_ / "cpuset.cpus"} << cpu << '\n';
    // Version 1 wants the memory nodes too.
    if (const auto nodes = first_line((parent_ / "cpuset.mems").string()); !nodes.empty()) {
      std::ofstream{path_ / "cpuset.mems"} << nodes << '\n';
    }
  }
  CpusetGroup(const CpusetGroup&) = delete;
  CpusetGroup& operator=(const CpusetGroup&) = delete;
  CpusetGroup(CpusetGroup&&) = delete;
  CpusetGroup& operator=(CpusetGroup&&) = delete;
  ~CpusetGroup() { ::rmdir(path_.c_str()); }

  /// A command that runs another one in the group.
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& inner) const {
    std::vector<std::string> all{"sh", "-ec", R"(echo $$ >"$0/cgroup.procs"; exec "$@")", path_};
    all.insert(all.end(), inner.begin(), inner.end());
    return all;
  }

 private:
  static constexpr auto version_1 = "/sys/fs/cgroup/cpuset";

  std::filesystem::path parent_ = "/sys/fs/cgroup";
  std::filesystem::path path_;
};

std::vector<int> usable_cpus() {
  cpu_set_t set{};
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

/// The command, bound to one CPU.
std::vector<std::string> on_cpu(int cpu, std::vector<std::string> command) {
  command.insert(command.begin(), {"taskset", "--cpu-list", std::to_string(cpu)});
  return command;
}

/// The CPUs on which each thread may run, as lists like "0-1".
std::vector<std::string> cpus_of_threads(pid_t process) {
  constexpr std::string_view name = "Cpus_allowed_list:\t";
  const auto threads = "/proc/" + std::to_string(process) + "/task";
  std::vector<std::string> all;
  for (const auto& thread : list(threads)) {
    const auto status = read_file(std::filesystem::path{threads} / thread / "status").text;
    if (const auto found = status.find(name); found != std::string::npos) {
      const auto start = found + name.size();
      all.push_back(status.substr(start, status.find('\n', start) - start));
    }
  }
  return all;
}

std::size_t rings_of(pid_t worker) {
  std::size_t rings = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator{"/proc/" + std::to_string(worker) + "/fd"}) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(entry.path(), error).string();
    rings += target.find("io_uring") != std::string::npos ? 1 : 0;
  }
  return rings;
}

bool contains(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

/// Waits for a text in the log, because the daemon writes its log in a thread.
template <class Log>
void expect_logged(Log log, std::string_view what) {
  EXPECT_TRUE(eventually([&] { return contains(log(), what); })) << log();
}

/// Changes settings of the kernel, so no other test runs at the same time.
class Transport : public EndToEndTest {
 protected:
  static void SetUpTestSuite() { MachineLock::instance().take_alone(); }
  static void TearDownTestSuite() { MachineLock::instance().share(); }

  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    if (!std::filesystem::exists(module_parameter)) {
      skip("this kernel does not have FUSE over io_uring");
      return;
    }
    data.write({.id = id});
  }

  /// Tries to start the daemon, which must fail.
  [[nodiscard]] CommandResult failed_start(std::vector<std::string> options) const {
    const TemporaryDirectory mountpoint;
    options.insert(options.begin(),
                   {std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
    return run(options);
  }

  static void expect_values_on_every_cpu(const StatsMount& mount) {
    for (const int cpu : usable_cpus()) {
      EXPECT_EQ(run(on_cpu(cpu, {"cat", mount / id / "allocated_vcpus"})).out, "2\n") << cpu;
    }
  }

  static void expect_classic(const StatsMount& mount, std::string_view reason) {
    expect_logged([&] { return mount.log(); }, "through /dev/fuse");
    expect_logged([&] { return mount.log(); }, reason);
    EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
  }

  DataDirectory data;
};

/// The daemon needs it for its rings.
bool libfuse_has_custom_io() {
  fuse_args arguments FUSE_ARGS_INIT(0, nullptr);
  ::fuse_opt_add_arg(&arguments, "transport_test");
  const fuse_lowlevel_ops operations{};
  auto* const session =
      ::fuse_session_new(&arguments, &operations, sizeof operations, /*userdata=*/nullptr);
  ::fuse_opt_free_args(&arguments);
  const fuse_custom_io io{.writev = [](int /*fd*/, iovec* /*parts*/, int /*count*/,
                                       void* /*data*/) -> ssize_t { return -1; },
                          .read = [](int /*fd*/, void* /*buffer*/, size_t /*size*/,
                                     void* /*data*/) -> ssize_t { return -1; }};
  UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const bool has = ::fuse_session_custom_io(session, &io, file.get()) == 0;
  if (has) {
    static_cast<void>(file.release());  // the session closes it
  }
  ::fuse_session_destroy(session);
  return has;
}

/// The system allows io_uring.
class IoUring : public Transport {
 protected:
  void SetUp() override {
    Transport::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    if (!libfuse_has_custom_io()) {
      skip("libfuse was built without custom I/O");
      return;
    }
    allowed_.emplace(module_parameter, "Y");
    enabled_.emplace(sysctl, "0");
  }

  static void expect_in_use(const StatsMount& mount) {
    expect_logged([&] { return mount.log(); }, "requests come through io_uring\n");
  }
  void expect_every_reader_is_served_from(int daemon_cpu, std::vector<std::string> command);

 private:
  std::optional<Setting> allowed_;
  std::optional<Setting> enabled_;
};

TEST_F(IoUring, IsUsedIfTheSystemAllowsIt) {
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  EXPECT_GE(rings_of(mount.worker_pid()), 1U);
  expect_values_on_every_cpu(mount);
  EXPECT_EQ(mount.instances(), std::vector<std::string>{id});
  EXPECT_EQ(read_file(mount / "by-name" / "my-web-server" / "instance_id").text,
            std::string{id} + "\n");
  EXPECT_EQ(mount.read(id, "missing").error, ENOENT);
  EXPECT_EQ(mount.read("missing", "stats.json").error, ENOENT);
  EXPECT_EQ(::open((mount / id / "stats.json").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(IoUring, IsNotUsedIfItIsSwitchedOff) {
  const StatsMount mount{data.path(), {"-o", "io_uring=off"}};
  EXPECT_EQ(mount.log(), "");
  EXPECT_EQ(rings_of(mount.worker_pid()), 0U);
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
}

TEST_F(IoUring, AFileLargerThanARequestIsReadWhole) {
  constexpr int count = 200;
  const auto process = start_stand_in(data.socket("own"));
  for (int number = 0; number < count; ++number) {
    const auto name = "vm" + std::to_string(number);
    data.write(running_record(name, process.pid(), data.socket("own")));
  }
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  const auto text = read_file(mount / "metrics.prom").text;
  EXPECT_GT(text.size(), std::size_t{100'000});
  EXPECT_TRUE(contains(text, "hypeman_vm_metrics_instances_observed 200\n"));
  EXPECT_TRUE(text.ends_with('\n'));

  const auto wanted = text.size();
  for (const std::size_t size : {std::size_t{1000}, std::size_t{28672}, std::size_t{1} << 20U}) {
    const UniqueFd file{::open((mount / "metrics.prom").c_str(), O_RDONLY | O_CLOEXEC)};
    std::vector<char> buffer(size);
    std::size_t total = 0;
    ssize_t length = 0;
    while ((length = ::read(file.get(), buffer.data(), size)) > 0) {
      total += static_cast<std::size_t>(length);
    }
    EXPECT_EQ(total, wanted) << "with reads of " << size;
  }
}

TEST_F(IoUring, ManyReadersAtOnceAllGetTheirValues) {
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  constexpr int readers = 64;
  constexpr int rounds = 50;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    threads.reserve(readers);
    for (int number = 0; number < readers; ++number) {
      threads.emplace_back([&, number] {
        for (int round = 0; round < rounds; ++round) {
          const bool host = (number + round) % 8 == 0;
          const auto result =
              host ? read_file(mount / "metrics.prom") : read_file(mount / id / "allocated_vcpus");
          wrong += result.error != 0 || (!host && result.text != "2\n") ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

/// A read of the whole host keeps its entry of the ring while it waits. The entries of a CPU must
/// not all be kept by such reads.
TEST_F(IoUring, ReadsOfTheHostThatHangLeaveEntriesForOtherReaders) {
  constexpr std::size_t readers = 100;
  constexpr std::size_t most_waiting = 64;
  data.write({.id = "hangs"});
  const auto cpu = usable_cpus().front();
  std::vector<ChildProcess> waiting;  // hang longer than the silent file system
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  {
    const UnansweredMount silent{data.instance("hangs")};
    for (std::size_t count = 0; count < readers; ++count) {
      waiting.push_back(ChildProcess::spawn(on_cpu(cpu, {"cat", mount / "metrics.prom"})));
    }
    silent.await_request();
    const auto refused = [&] {
      return std::ranges::count_if(waiting, [](ChildProcess& reader) {
        return contains(reader.captured_err(), "temporarily unavailable");
      });
    };
    EXPECT_TRUE(eventually([&] { return refused() == readers - most_waiting; })) << refused();
    EXPECT_EQ(run(on_cpu(cpu, {"cat", mount / id / "allocated_vcpus"})).out, "2\n");
  }
  for (auto& reader : waiting) {
    EXPECT_TRUE(reader.wait(std::chrono::seconds{20})) << "a reader still waits";
  }
}

TEST_F(IoUring, AKilledReaderLeavesItsEntryToOthers) {
  data.write({.id = "hangs"});
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  const auto cpu = usable_cpus().front();
  std::vector<ChildProcess> killed;
  {
    const UnansweredMount silent{data.instance("hangs")};
    for (int count = 0; count < 20; ++count) {
      killed.push_back(ChildProcess::spawn(on_cpu(cpu, {"cat", mount / "metrics.prom"})));
    }
    silent.await_request();
    for (const auto& reader : killed) {
      reader.send_signal(SIGKILL);
    }
  }
  for (auto& reader : killed) {
    EXPECT_TRUE(reader.wait(std::chrono::seconds{20})) << "a reader still waits";
  }
  for (int count = 0; count < 200; ++count) {
    ASSERT_EQ(mount.value(id, "allocated_vcpus"), "2");
  }
}

/// They would hold up the other readers of that CPU.
TEST_F(IoUring, ReadsOfTheHostAreNotBoundToTheCpuOfTheirReader) {
  const auto cpus = usable_cpus();
  if (cpus.size() < 2) {
    skip("there is only one CPU");
    return;
  }
  data.write({.id = "hangs"});
  std::optional<ChildProcess> reader;  // hangs longer than the silent file system
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  const auto bound = [worker = mount.worker_pid()] {
    const auto all = cpus_of_threads(worker);
    return std::ranges::count_if(
        all, [](const auto& list) { return list.find_first_of(",-") == std::string::npos; });
  };
  const auto before = bound();
  const UnansweredMount silent{data.instance("hangs")};
  reader = ChildProcess::spawn(on_cpu(cpus.front(), {"cat", mount / "metrics.prom"}));
  silent.await_request();
  EXPECT_GE(before, 1);
  EXPECT_EQ(bound(), before);
}

/// Starts the daemon with a command for which it may use one CPU only.
void IoUring::expect_every_reader_is_served_from(int daemon_cpu, std::vector<std::string> command) {
  const TemporaryDirectory mountpoint;
  command.insert(command.end(), {data.path(), mountpoint.path()});
  auto daemon = ChildProcess::spawn(command);
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  expect_logged([&] { return daemon.captured_err(); }, "requests come through io_uring\n");
  for (const int cpu : usable_cpus()) {
    EXPECT_EQ(run(on_cpu(cpu, {"cat", mountpoint.path() / id / "allocated_vcpus"})).out, "2\n");
  }
  for (const auto& list : cpus_of_threads(worker_of(daemon.pid()))) {
    EXPECT_EQ(list, std::to_string(daemon_cpu)) << "a thread may use another CPU";
  }
  daemon.send_signal(SIGTERM);
  EXPECT_TRUE(daemon.wait(std::chrono::seconds{10})) << "the daemon does not end";
}

TEST_F(IoUring, ReadersOnCpusOutsideTheAffinityMaskOfTheDaemonAreServed) {
  const auto cpu = usable_cpus().back();
  expect_every_reader_is_served_from(cpu, on_cpu(cpu, {std::string{paths::statsfs}, "-f"}));
}

TEST_F(IoUring, ReadersOnCpusOutsideTheCpusetOfTheDaemonAreServed) {
  const auto cpu = usable_cpus().back();
  const CpusetGroup group{cpu};
  expect_every_reader_is_served_from(cpu, group.command({std::string{paths::statsfs}, "-f"}));
}

/// A ring of a present CPU serves the queues of CPUs that are possible, but not present.
TEST_F(IoUring, ReadersOnCpusThatWereAddedLaterAreServed) {
  const TemporaryDirectory place;
  std::ofstream{place.path() / "present"} << "0\n";
  std::filesystem::create_directory(place.path() / "stats");
  std::string script =
      "mount --bind \"$2/present\" /sys/devices/system/cpu/present\n"
      "\"$1\" -f -o io_uring=on \"$3\" \"$2/stats\" & daemon=$!\n"
      "until [ -e \"$2/stats/$4\" ]; do sleep 0.01; done\n";
  std::string expected;
  for (const int cpu : usable_cpus()) {
    script +=
        "taskset --cpu-list " + std::to_string(cpu) + " cat \"$2/stats/$4/allocated_vcpus\"\n";
    expected += "2\n";
  }
  const auto result = run({"unshare", "--mount", "sh", "-ec", script + "kill $daemon; wait $daemon",
                           "sh", std::string{paths::statsfs}, place.path(), data.path(), id});
  EXPECT_TRUE(result.status.success()) << result.err;
  EXPECT_EQ(result.out, expected);
}

/// Disturbs other programs: run it with --gtest_also_run_disabled_tests.
TEST_F(IoUring, DISABLED_ReadersAreServedWhileACpuGoesOfflineAndComesBack) {
  const auto cpu = usable_cpus().back();
  const auto online = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/online";
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  const auto is_bound = [&] {
    return std::ranges::count(cpus_of_threads(mount.worker_pid()), std::to_string(cpu)) != 0;
  };
  EXPECT_TRUE(is_bound());
  {
    const UniqueFd file{::open((mount / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
    const Setting offline{online, "0"};
    ASSERT_EQ(first_line(online), "0") << "the CPU cannot be switched off";
    std::array<char, 16> buffer{};
    EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), 0), 16);
    expect_values_on_every_cpu(mount);
  }
  EXPECT_TRUE(eventually([&] {
    return run(on_cpu(cpu, {"cat", mount / id / "allocated_vcpus"})).out == "2\n" && is_bound();
  })) << "the thread did not return to its CPU";
  {
    const Setting offline{online, "0"};
    const StatsMount second{data.path()};
    expect_in_use(second);
    expect_values_on_every_cpu(second);
  }
}

TEST_F(IoUring, TheNextDaemonReplacesOneThatWasKilled) {
  const TemporaryDirectory mountpoint;
  const auto start = [&] {
    auto daemon =
        ChildProcess::spawn({std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
    EXPECT_TRUE(eventually([&] {
      return read_file(mountpoint.path() / id / "allocated_vcpus").text == "2\n";
    })) << daemon.captured_err();
    return daemon;
  };
  std::optional<ChildProcess> reader;
  {
    auto killed = start();
    data.write({.id = "hangs"});
    const UnansweredMount silent{data.instance("hangs")};
    reader = ChildProcess::spawn({"cat", mountpoint.path() / "metrics.prom"});
    silent.await_request();
    const auto worker = worker_of(killed.pid());
    killed.send_signal(SIGKILL);
    ::kill(worker, SIGKILL);
    EXPECT_TRUE(killed.wait(std::chrono::seconds{10}));
    EXPECT_TRUE(reader->wait(std::chrono::seconds{10})) << "the reader still waits";
  }
  auto daemon = start();
  daemon.send_signal(SIGTERM);
  const auto status = daemon.wait(std::chrono::seconds{10});
  EXPECT_TRUE(status && status->success()) << daemon.captured_err();
}

TEST_F(IoUring, SigtermEndsTheDaemonWhileReadersHoldFilesOpen) {
  StatsMount mount{data.path()};
  expect_in_use(mount);
  const UniqueFd file{::open((mount / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 16> buffer{};
  ASSERT_EQ(::read(file.get(), buffer.data(), buffer.size()), 16);
  const auto status = mount.stop();
  ASSERT_TRUE(status) << "the daemon does not end";
  EXPECT_TRUE(status->success()) << mount.log();
  EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), 0), -1);
  mount.start();
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
}

TEST_F(IoUring, SigtermEndsTheDaemonWhileReadsHang) {
  data.write({.id = "hangs"});
  std::vector<ChildProcess> readers;
  StatsMount mount{data.path()};
  expect_in_use(mount);
  {
    const UnansweredMount silent{data.instance("hangs")};
    for (const int cpu : usable_cpus()) {
      // The first is answered by another thread, the second by the thread of the ring.
      readers.push_back(ChildProcess::spawn(on_cpu(cpu, {"cat", mount / "metrics.prom"})));
      readers.push_back(
          ChildProcess::spawn(on_cpu(cpu, {"cat", mount / "hangs" / "allocated_vcpus"})));
    }
    silent.await_request();
    EXPECT_TRUE(mount.stop()) << "the daemon does not end";
    for (auto& reader : readers) {
      EXPECT_TRUE(reader.wait(std::chrono::seconds{10})) << "a reader still waits";
    }
  }
}

TEST_F(IoUring, AnUnmountFromOutsideEndsTheDaemon) {
  for (const bool lazy : {false, true}) {
    const StatsMount mount{data.path()};
    expect_in_use(mount);
    ASSERT_EQ(::umount2(mount.path().c_str(), lazy ? MNT_DETACH : 0), 0);
  }  // expects that it ends with success
}

TEST_F(IoUring, ALazyUnmountLeavesOpenFilesReadable) {
  StatsMount mount{data.path()};
  expect_in_use(mount);
  UniqueFd file{::open((mount / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::umount2(mount.path().c_str(), MNT_DETACH), 0);
  std::array<char, 16> buffer{};
  EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), 0), 16);
  file = {};
  const auto status = mount.daemon().wait(std::chrono::seconds{10});
  EXPECT_TRUE(status && status->success()) << mount.log();
}

TEST_F(IoUring, AnAbortedConnectionEndsTheDaemon) {
  const TemporaryDirectory connections;
  const TemporaryDirectory mountpoint;
  ASSERT_EQ(::mount("none", connections.path().c_str(), "fusectl", 0, nullptr), 0);
  auto daemon =
      ChildProcess::spawn({std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
  EXPECT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  struct stat root {};
  EXPECT_EQ(::stat(mountpoint.path().c_str(), &root), 0);
  std::ofstream{connections.path() / std::to_string(minor(root.st_dev)) / "abort"} << "1\n";
  const auto status = daemon.wait(std::chrono::seconds{10});
  ::umount2(connections.path().c_str(), MNT_DETACH);
  ASSERT_TRUE(status) << "the daemon does not end";
  EXPECT_EQ(status->code, EX_SOFTWARE);
  expect_logged([&] { return daemon.captured_err(); }, "aborted");
}

TEST_F(IoUring, WorksIfOnlyPrivilegedProcessesMayUseIt) {
  const Setting privileged{sysctl, "1"};
  const StatsMount mount{data.path()};
  expect_in_use(mount);
  expect_values_on_every_cpu(mount);
}

TEST_F(IoUring, IsNotUsedIfTheSysctlForbidsIt) {
  const Setting forbidden{sysctl, "2"};
  const StatsMount mount{data.path()};
  expect_classic(mount, "kernel.io_uring_disabled");
  const auto refused = failed_start({"-o", "io_uring=on"});
  EXPECT_EQ(refused.status.code, EX_UNAVAILABLE);
  EXPECT_TRUE(contains(refused.err, "kernel.io_uring_disabled")) << refused.err;
}

TEST_F(IoUring, IsNotUsedIfItsThreadsWouldBeTooMany) {
  // The limit counts the processes of the user. Nothing else runs as this one.
  const TemporaryDirectory mountpoint;
  auto daemon = ChildProcess::spawn({"prlimit", "--nproc=12:12", std::string{paths::statsfs}, "-f",
                                     "-o", "run_as=games", data.path(), mountpoint.path()});
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  expect_logged([&] { return daemon.captured_err(); }, "raise the limit on threads");
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  daemon.send_signal(SIGTERM);
  EXPECT_TRUE(daemon.wait(std::chrono::seconds{10})) << "the daemon does not end";
}

/// As with too little memory, too few descriptors, or the seccomp policy of a container.
TEST_F(IoUring, IsNotUsedIfASystemCallFails) {
  for (const auto* const failing :
       {"io_uring_setup:error=ENOMEM", "io_uring_setup:error=EMFILE:when=2",
        "io_uring_register:error=EINVAL", "io_uring_enter:error=EPERM"}) {
    const TemporaryDirectory mountpoint;
    const std::string call{failing};
    auto daemon =
        ChildProcess::spawn({"strace", "--follow-forks", "--output=/dev/null",
                             "--trace=" + call.substr(0, call.find(':')), "--inject=" + call,
                             std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
    ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
    expect_logged([&] { return daemon.captured_err(); }, "through /dev/fuse, not through io_uring");
    EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n") << failing;
    EXPECT_TRUE(run({"umount", mountpoint.path()}).status.success());
    EXPECT_TRUE(daemon.wait(std::chrono::seconds{10})) << "the daemon does not end";
  }
}

TEST_F(IoUring, NeedsNoLockedMemory) {
  const TemporaryDirectory mountpoint;
  auto daemon = ChildProcess::spawn({"prlimit", "--memlock=0:0", std::string{paths::statsfs}, "-f",
                                     data.path(), mountpoint.path()});
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  daemon.send_signal(SIGTERM);
  EXPECT_TRUE(daemon.wait(std::chrono::seconds{10})) << "the daemon does not end";
}

TEST_F(Transport, IsClassicIfTheModuleParameterIsOff) {
  const Setting off{module_parameter, "N"};
  const StatsMount mount{data.path()};
  expect_classic(mount, "fuse.enable_uring is off");
  EXPECT_EQ(rings_of(mount.worker_pid()), 0U);
}

TEST_F(Transport, OnWithoutTheModuleParameterFailsAndSaysHowToSetIt) {
  const Setting off{module_parameter, "N"};
  const auto refused = failed_start({"-o", "io_uring=on"});
  EXPECT_EQ(refused.status.code, EX_UNAVAILABLE);
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
  EXPECT_TRUE(contains(refused.err, "echo Y > /sys/module/fuse/parameters/enable_uring"))
      << refused.err;
  EXPECT_TRUE(contains(refused.err, "/etc/modprobe.d/fuse.conf")) << refused.err;
}

TEST_F(Transport, StaysWhenTheModuleParameterChanges) {
  const Setting on{module_parameter, "Y"};
  const StatsMount mount{data.path()};
  const Setting off{module_parameter, "N"};
  for (int count = 0; count < 100; ++count) {
    ASSERT_EQ(mount.value(id, "allocated_vcpus"), "2");
  }
}

}  // namespace
}  // namespace hypeman::tests
