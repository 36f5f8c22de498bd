#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sysexits.h>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/full_pipe.hpp"
#include "tests/support/held_file.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/unanswered_mount.hpp"

namespace hypeman::tests {
namespace {

constexpr auto id = "qilviffnqzck2jrim1x6s2b1";

/// Calls it by number, because glibc 2.36 declares pidfd_open() without C linkage.
UniqueFd pidfd_of(pid_t process) {
  return UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))};
}

/// Waits for the end of a process that need not be a child.
bool ends(const UniqueFd& pidfd) {
  constexpr int timeout_ms = 10'000;
  pollfd event{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&event, 1, timeout_ms) == 1;
}

class Lifecycle : public EndToEndTest {
 protected:
  void TearDown() override { unmount_all(mountpoint.path()); }

  static void unmount_all(const std::filesystem::path& at) {
    while (::umount2(at.c_str(), MNT_DETACH) == 0) {
    }
  }

  [[nodiscard]] static CommandResult statsfs(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string{paths::statsfs});
    return run(arguments);
  }

  [[nodiscard]] ChildProcess start() const {
    auto daemon =
        ChildProcess::spawn({std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
    EXPECT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
    return daemon;
  }

  [[nodiscard]] bool in_mount_table() const {
    std::ifstream mounts{"/proc/self/mounts"};
    const std::string text{std::istreambuf_iterator<char>{mounts}, {}};
    return text.find(mountpoint.path().string() + " ") != std::string::npos;
  }

  void expect_clean_exit(ChildProcess& daemon) const {
    const auto status = daemon.wait(std::chrono::seconds{10});
    ASSERT_TRUE(status) << "the daemon did not exit";
    EXPECT_EQ(status->code, 0) << daemon.captured_err();
    EXPECT_FALSE(in_mount_table());
  }

  DataDirectory data;
  TemporaryDirectory mountpoint;
};

TEST_F(Lifecycle, SignalsUnmountAndExitWithSuccess) {
  for (const int signal : {SIGTERM, SIGINT}) {
    auto daemon = start();
    daemon.send_signal(signal);
    expect_clean_exit(daemon);
  }
}

TEST_F(Lifecycle, SigtermUnmountsWhileReadersHoldFilesOpen) {
  data.write({.id = id});
  auto daemon = start();
  const UniqueFd file{
      ::open((mountpoint.path() / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
  const UniqueFd directory{::open(mountpoint.path().c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_TRUE(static_cast<bool>(file));
  std::array<char, 16> buffer{};
  ASSERT_EQ(::read(file.get(), buffer.data(), buffer.size()), 16);

  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
  EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), 0), -1);
}

TEST_F(Lifecycle, SigtermEndsEverythingWhileAReadHangsInTheKernel) {
  data.write({.id = id});
  auto daemon = start();
  const auto worker = pidfd_of(worker_of(daemon.pid()));
  std::optional<ChildProcess> reader;  // hangs longer than the silent file system
  const UnansweredMount silent{data.instance(id)};
  reader = ChildProcess::spawn({"cat", mountpoint.path() / id / "allocated_vcpus"});
  silent.await_request();

  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
  EXPECT_TRUE(ends(worker)) << "the worker process still runs";
  EXPECT_TRUE(reader->wait(std::chrono::seconds{10})) << "the reader still waits";
}

TEST_F(Lifecycle, SigtermEndsTheMonitorIfTheWorkerCannotBeKilled) {
  data.write({.id = id});
  auto daemon = start();
  const auto worker = pidfd_of(worker_of(daemon.pid()));
  std::optional<ChildProcess> reader;  // hangs longer than the silent file system
  {
    UnansweredMount silent{data.instance(id)};
    reader = ChildProcess::spawn({"cat", mountpoint.path() / id / "allocated_vcpus"});
    silent.take_request();

    daemon.send_signal(SIGTERM);
    const auto status = daemon.wait(std::chrono::seconds{10});
    ASSERT_TRUE(status) << "the daemon did not exit";
    EXPECT_EQ(status->code, EX_SOFTWARE);
    EXPECT_NE(daemon.captured_err().find("does not end"), std::string::npos)
        << daemon.captured_err();
    EXPECT_FALSE(in_mount_table());
  }
  EXPECT_TRUE(ends(worker)) << "the worker process still runs";
}

TEST_F(Lifecycle, SigtermEndsAStartThatHangsInTheKernel) {
  const UnansweredMount silent{data.guests()};
  auto daemon = ChildProcess::spawn(
      {std::string{paths::statsfs}, "-f", data.guests() / "data", mountpoint.path()});
  silent.await_request();
  daemon.send_signal(SIGTERM);
  const auto status = daemon.wait(std::chrono::seconds{10});
  ASSERT_TRUE(status) << "the daemon did not exit";
  EXPECT_EQ(status->signal, SIGTERM);
}

TEST_F(Lifecycle, SigtermEndsAWorkerThatHangsBeforeItDropsItsPrivileges) {
  HeldFile guests{data.guests(), HeldFile::Call::open};  // first opened by the worker
  auto daemon =
      ChildProcess::spawn({std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()});
  const auto pid = guests.await_call();
  ASSERT_NE(pid, daemon.pid());
  const auto worker = pidfd_of(pid);
  daemon.send_signal(SIGTERM);
  EXPECT_TRUE(daemon.wait(std::chrono::seconds{10})) << "the daemon did not exit";
  EXPECT_TRUE(ends(worker)) << "the worker process still runs";
  EXPECT_FALSE(in_mount_table());
}

TEST_F(Lifecycle, ABlockedLogDoesNotBlockReadersOrTheEnd) {
  data.write({.id = id});
  const FullPipe log;
  SpawnOptions options;
  options.err = log.path();
  auto daemon = ChildProcess::spawn(
      {std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()}, options);
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); }));
  for (int number = 0; number < 10; ++number) {
    data.write_text("broken" + std::to_string(number), "{");  // each is logged
  }
  EXPECT_TRUE(run({"ls", mountpoint.path()}).status.success());
  EXPECT_EQ(run({"cat", mountpoint.path() / id / "allocated_vcpus"}).out, "2\n");

  daemon.send_signal(SIGTERM);
  const auto status = daemon.wait(std::chrono::seconds{10});
  ASSERT_TRUE(status) << "the daemon did not exit";
  EXPECT_EQ(status->code, EX_OK);
}

TEST_F(Lifecycle, LogLinesHavePrioritiesOnlyIfTheJournalReadsThem) {
  const auto first_line = [&](bool connected) {
    const TemporaryDirectory place;
    SpawnOptions options;
    options.err = place.path() / "log";
    std::ofstream{place.path() / "log"}.flush();
    struct stat log {};
    EXPECT_EQ(::stat((place.path() / "log").c_str(), &log), 0);
    options.environment["JOURNAL_STREAM"] =
        std::to_string(log.st_dev) + ":" + std::to_string(log.st_ino + (connected ? 0 : 1));
    auto daemon =
        ChildProcess::spawn({"setpriv", "--bounding-set=-setpcap", std::string{paths::statsfs},
                             "-f", data.path(), mountpoint.path()},
                            options);
    EXPECT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); }));
    daemon.send_signal(SIGTERM);
    EXPECT_TRUE(daemon.wait(std::chrono::seconds{10}));
    return read_file(place.path() / "log").text;
  };
  EXPECT_TRUE(first_line(true).starts_with("<4>cannot"));
  EXPECT_TRUE(first_line(false).starts_with("hypeman-statsfs: warning: cannot"));
}

TEST_F(Lifecycle, IgnoresSighup) {
  data.write({.id = id});
  auto daemon = start();
  daemon.send_signal(SIGHUP);
  EXPECT_FALSE(daemon.wait(std::chrono::milliseconds{200}));
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, UmountExitsWithSuccess) {
  auto daemon = start();
  ASSERT_TRUE(run({"umount", mountpoint.path()}).status.success());
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, AnAbortedConnectionIsAFailure) {
  const TemporaryDirectory connections;
  ASSERT_EQ(::mount("none", connections.path().c_str(), "fusectl", 0, nullptr), 0);
  auto daemon = start();
  struct stat root {};
  ASSERT_EQ(::stat(mountpoint.path().c_str(), &root), 0);
  std::ofstream{connections.path() / std::to_string(minor(root.st_dev)) / "abort"} << "1\n";
  const auto status = daemon.wait(std::chrono::seconds{10});
  ASSERT_EQ(::umount2(connections.path().c_str(), MNT_DETACH), 0);
  ASSERT_TRUE(status) << "the daemon did not exit";
  EXPECT_EQ(status->code, EX_SOFTWARE);
  EXPECT_NE(daemon.captured_err().find("aborted"), std::string::npos) << daemon.captured_err();
  EXPECT_FALSE(in_mount_table());
}

TEST_F(Lifecycle, LazyUmountExitsAfterTheLastReader) {
  data.write({.id = id});
  auto daemon = start();
  UniqueFd file{::open((mountpoint.path() / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_TRUE(run({"umount", "-l", mountpoint.path()}).status.success());
  EXPECT_FALSE(daemon.wait(std::chrono::milliseconds{200}));
  std::array<char, 16> buffer{};
  EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), 0), 16);
  file = {};
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, ReplacesTheStaleMountOfACrash) {
  data.write({.id = id});
  auto crashed = start();
  const UniqueFd held{
      ::open((mountpoint.path() / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
  crashed.send_signal(SIGKILL);
  ASSERT_TRUE(crashed.wait(std::chrono::seconds{10}));
  ASSERT_TRUE(eventually(
      [&] { return read_file(mountpoint.path() / id / "stats.json").error == ENOTCONN; }));

  auto daemon = start();
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, RefusesAMountpointInUse) {
  auto daemon = start();
  const auto second = statsfs({"-f", data.path(), mountpoint.path()});
  EXPECT_EQ(second.status.code, EX_UNAVAILABLE);
  EXPECT_NE(second.err.find("already mounted here"), std::string::npos) << second.err;
  EXPECT_TRUE(is_mounted(mountpoint.path()));
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, DoesNotUnmountAnotherFileSystemOnTop) {
  auto daemon = start();
  ASSERT_EQ(::mount("tmpfs", mountpoint.path().c_str(), "tmpfs", 0, nullptr), 0);
  daemon.send_signal(SIGTERM);
  const auto status = daemon.wait(std::chrono::seconds{10});
  ASSERT_TRUE(status) << "the daemon did not exit";
  EXPECT_FALSE(is_mounted(mountpoint.path())) << "the daemon unmounted the tmpfs on top";
  EXPECT_EQ(run({"stat", "-f", "-c", "%T", mountpoint.path()}).out, "tmpfs\n");
}

TEST_F(Lifecycle, ReturnsWhenMountedAndRunsInTheBackground) {
  data.write({.id = id});
  const auto started = statsfs({data.path(), mountpoint.path()});
  EXPECT_TRUE(started.status.success()) << started.err;
  EXPECT_EQ(started.out + started.err, "");
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  EXPECT_TRUE(run({"umount", mountpoint.path()}).status.success());
}

TEST_F(Lifecycle, StartsWithoutStandardStreams) {
  data.write({.id = id});
  for (const auto* const closed :
       {"<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    const auto started = run({"sh", "-c", std::string{"exec \"$@\" "} + closed, "sh",
                              std::string{paths::statsfs}, data.path(), mountpoint.path()});
    EXPECT_TRUE(started.status.success()) << closed << ": " << started.err;
    EXPECT_EQ(started.out + started.err, "");
    EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n") << closed;
    EXPECT_TRUE(run({"umount", mountpoint.path()}).status.success()) << closed;
  }
}

TEST_F(Lifecycle, AFailedStartFailsAlsoIfTheCallerIgnoresSigchld) {
  const auto refused = run({"env", "--ignore-signal=CHLD", std::string{paths::statsfs},
                            data.path() / "missing/deeper", mountpoint.path()});
  EXPECT_EQ(refused.status.code, EX_NOINPUT) << refused.err;
}

TEST_F(Lifecycle, AMissingDeviceIsAnErrorOfTheSystem) {
  const TemporaryDirectory programs;
  const auto copy = programs.path() / "hypeman-statsfs";
  std::filesystem::copy(paths::statsfs, copy);
  const std::string script =
      "mount -t tmpfs none /dev\n"
      "exec setpriv --reuid=\"$1\" --clear-groups \"$2\" -f \"$3\" \"$4\"";
  for (const auto* const user : {"0", "65534"}) {
    const auto refused = run({"unshare", "--mount", "sh", "-ec", script, "sh", user, copy,
                              data.path(), mountpoint.path()});
    EXPECT_EQ(refused.status.code, EX_OSERR) << refused.err;
    EXPECT_NE(refused.err.find("modprobe fuse"), std::string::npos) << refused.err;
  }
}

/// /mnt is a bind mount of the directory above the mountpoint, `itself` one of the mountpoint.
TEST_F(Lifecycle, AContainerSeesTheNextMountIfTheDirectoryAboveIsBoundAsSlave) {
  data.write({.id = id});
  const auto result = run(
      {"unshare", "--mount", "sh", "-ec",
       "mount -t tmpfs none \"$2\"; mount --make-shared \"$2\"; cd \"$2\"\n"
       "mkdir stats itself; mkfifo bound restarted\n"
       "start() {\n"
       "  \"$1\" -f \"$2\" stats & daemon=$!\n"
       "  until [ -e \"stats/$3\" ]; do sleep 0.01; done\n"
       "}\n"
       "start \"$1\" \"$3\" \"$4\"\n"
       "unshare --mount --propagation=slave sh -ec '\n"
       "  mount --rbind \"$1\" /mnt; mount --make-rslave /mnt\n"
       "  mount --bind stats itself\n"
       "  echo > bound; read line < restarted\n"
       "  cat \"/mnt/stats/$2/allocated_vcpus\"\n"
       "  LC_ALL=C cat \"itself/$2/allocated_vcpus\" 2>&1 || :' sh \"$2\" \"$4\" & container=$!\n"
       "read line < bound\n"
       "kill $daemon; wait $daemon\n"
       "start \"$1\" \"$3\" \"$4\"\n"
       "echo > restarted; wait $container\n"
       "kill $daemon; wait $daemon",
       "sh", std::string{paths::statsfs}, mountpoint.path(), data.path(), id});
  EXPECT_TRUE(result.status.success()) << result.err;
  // With io_uring, the kernel closes the connection a moment after the end of the daemon. A request
  // of that moment is aborted.
  const auto failed = "2\ncat: itself/" + std::string{id} + "/allocated_vcpus: ";
  EXPECT_TRUE(result.out == failed + "Transport endpoint is not connected\n" ||
              result.out == failed + "Software caused connection abort\n")
      << result.out;
}

TEST_F(Lifecycle, CreatesAMissingMountpoint) {
  const auto missing = mountpoint.path() / "a" / "b";
  ASSERT_TRUE(statsfs({data.path(), missing}).status.success());
  EXPECT_TRUE(is_mounted(missing));
  EXPECT_TRUE(run({"umount", missing}).status.success());
}

TEST_F(Lifecycle, RelativePathsStartAtTheWorkingDirectoryOfTheCaller) {
  data.write({.id = id});
  SpawnOptions options;
  options.working_directory = data.path();
  const auto here = data.path() / "here";  // created by the daemon
  auto daemon = ChildProcess::spawn({std::string{paths::statsfs}, "-f", ".", "here"}, options);
  EXPECT_TRUE(eventually([&] { return is_mounted(here); })) << daemon.captured_err();
  EXPECT_EQ(read_file(here / id / "allocated_vcpus").text, "2\n");
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
  EXPECT_TRUE(std::filesystem::is_empty(here));
  unmount_all(here);
}

TEST_F(Lifecycle, MountTableShowsSourceTypeAndReadOnly) {
  auto daemon = start();
  const auto found = run({"findmnt", "-n", "-o", "SOURCE,FSTYPE,OPTIONS", mountpoint.path()});
  EXPECT_NE(found.out.find(data.path().string() + " fuse.hypeman-statsfs ro,nosuid,nodev,noexec"),
            std::string::npos)
      << found.out;
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, MountCommandMountsAfterInstallation) {
  const TemporaryDirectory root;
  const auto installed = run({"meson", "install", "-C", std::string{paths::build_root},
                              "--no-rebuild", "--destdir", root.path()});
  ASSERT_TRUE(installed.status.success()) << installed.out << installed.err;
  data.write({.id = id});
  // A mount namespace, so that /usr/local/bin of the host does not change.
  const auto mounted = run({"unshare", "--mount", "sh", "-ec",
                            "mount -t tmpfs none /usr/local/bin\n"
                            "cp \"$1\"/usr/bin/* /usr/local/bin\n"
                            "mount -t fuse.hypeman-statsfs \"$2\" \"$3\" -o "
                            "rw,nosuid,nodev,noatime,nofail,mode=0444,gid=0\n"
                            "cat \"$3/$4/allocated_vcpus\"\n"
                            "umount \"$3\"",
                            "sh", root.path(), data.path(), mountpoint.path(), id});
  EXPECT_TRUE(mounted.status.success()) << mounted.err;
  EXPECT_EQ(mounted.out, "2\n");
}

TEST_F(Lifecycle, ErrorNamesTheMissingDataDirectory) {
  const auto refused = statsfs({"/nowhere", mountpoint.path(), "-o", "rw,dev,suid"});
  EXPECT_EQ(refused.status.code, EX_NOINPUT);
  EXPECT_EQ(
      refused.err,
      "hypeman-statsfs: /nowhere: No such file or directory; name Hypeman's data directory, or "
      "create this one\n");
}

TEST_F(Lifecycle, ErrorsAreOneLineWithASysexitsStatus) {
  const auto expect = [&](const std::vector<std::string>& arguments, int status) {
    const auto result = statsfs(arguments);
    EXPECT_EQ(result.status.code, status) << result.err;
    EXPECT_TRUE(result.err.starts_with("hypeman-statsfs: ")) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(result.out, "");
  };
  expect({"--unknown"}, EX_USAGE);
  expect({"a", "b", "c"}, EX_USAGE);
  expect({data.path(), mountpoint.path(), "-o", "unknown"}, EX_USAGE);
  expect({data.path(), mountpoint.path(), "-o", "mode=0644"}, EX_USAGE);
  expect({data.path(), mountpoint.path(), "-o", "mode=x"}, EX_USAGE);
  expect({data.path(), mountpoint.path(), "-o", "gid=nosuchgroup"}, EX_USAGE);
  expect({data.path() / "missing/deeper", mountpoint.path()}, EX_NOINPUT);
  expect({"/etc/passwd", mountpoint.path()}, EX_NOINPUT);
  expect({data.path(), "/etc/passwd"}, EX_UNAVAILABLE);
  expect({data.path(), "/proc/nowhere"}, EX_UNAVAILABLE);
}

TEST_F(Lifecycle, MountpointThatWouldHideTheInstancesIsRefused) {
  const TemporaryDirectory parent;
  const auto hypeman = parent.path() / "hypeman";
  std::filesystem::create_directories(hypeman / "guests" / id);
  const TemporaryDirectory links;
  const auto link = links.path() / "link";
  std::filesystem::create_directory_symlink(hypeman, link);
  const auto expect_refused = [&](const std::filesystem::path& data_dir,
                                  const std::filesystem::path& at) {
    const auto result = statsfs({data_dir, at});
    unmount_all(at);
    EXPECT_EQ(result.status.code, EX_UNAVAILABLE) << at;
    EXPECT_EQ(result.err, "hypeman-statsfs: " + at.string() +
                              ": not usable as a mountpoint: it would hide " + data_dir.string() +
                              "/guests, which the daemon reads; choose another directory\n");
  };
  expect_refused(hypeman, hypeman);
  expect_refused(hypeman, parent.path());
  expect_refused(hypeman, hypeman / "guests");
  expect_refused(hypeman, hypeman / "guests" / id);
  expect_refused(hypeman, hypeman / "guests/new");
  expect_refused(hypeman, hypeman / "guests/new/");
  expect_refused(hypeman, link);
  expect_refused(link, hypeman);
  expect_refused(link, links.path());
  const auto later = parent.path() / "later";  // a data directory that may come later
  expect_refused(later, later);
  expect_refused(later, later / "");
  EXPECT_FALSE(std::filesystem::exists(hypeman / "guests/new"));
  EXPECT_FALSE(std::filesystem::exists(later));

  SpawnOptions options;
  options.working_directory = hypeman / "guests";
  EXPECT_EQ(run({std::string{paths::statsfs}, hypeman, "new"}, options).status.code,
            EX_UNAVAILABLE);
  EXPECT_EQ(statsfs({hypeman, ""}).status.code, EX_UNAVAILABLE);
}

TEST_F(Lifecycle, MountpointInTheDataDirectoryShowsTheInstances) {
  data.write({.id = id});
  const auto inside = data.path() / "stats";
  auto mounted = statsfs({data.path(), inside});
  EXPECT_TRUE(mounted.status.success()) << mounted.err;
  EXPECT_EQ(run({"cat", inside / id / "allocated_vcpus"}).out, "2\n");
  EXPECT_TRUE(run({"umount", inside}).status.success());
  unmount_all(inside);
}

TEST_F(Lifecycle, WithoutRootTheErrorNamesRoot) {
  auto options = as_unprivileged_user();
  const TemporaryDirectory programs;
  const auto copy = programs.path() / "hypeman-statsfs";
  std::filesystem::copy(paths::statsfs, copy);
  const auto expect_refused = [&](const std::filesystem::path& at) {
    const auto result = run({copy, data.path(), at}, options);
    EXPECT_EQ(result.status.code, EX_NOPERM) << result.err;
    EXPECT_TRUE(result.err.ends_with("; only root can mount: run hypeman-statsfs as root\n"))
        << result.err;
  };
  expect_refused(mountpoint.path());
  expect_refused(mountpoint.path() / "missing");
  std::filesystem::permissions(mountpoint.path(), std::filesystem::perms::all);
  expect_refused(mountpoint.path());
}

TEST_F(Lifecycle, HelpAndVersionGoToStandardOutput) {
  const auto help = statsfs({"--help"});
  EXPECT_TRUE(help.status.success());
  EXPECT_NE(help.out.find("MOUNTPOINT"), std::string::npos);
  const auto version = statsfs({"--version"});
  EXPECT_TRUE(version.status.success());
  EXPECT_TRUE(version.out.starts_with("hypeman-statsfs ")) << version.out;
}

TEST_F(Lifecycle, MeasuresMoreInstancesThanDescriptors) {
  constexpr int instances = 200;  // each uses four descriptors
  const auto process = start_stand_in(data.socket(id));
  for (int index = 0; index < instances; ++index) {
    data.write(running_record("instance" + std::to_string(index), process.pid(), data.socket(id)));
  }
  auto daemon = ChildProcess::spawn({"prlimit", "--nofile=128:128", std::string{paths::statsfs},
                                     "-f", "-o", "io_uring=off", data.path(), mountpoint.path()});
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  for (int round = 0; round < 2; ++round) {
    for (int index = 0; index < instances; ++index) {
      const auto name = "instance" + std::to_string(index);
      ASSERT_NE(read_file(mountpoint.path() / name / "memory_rss_bytes").text, "0\n") << name;
    }
  }
  EXPECT_NE(read_file(mountpoint.path() / "metrics.prom")
                .text.find("hypeman_vm_metrics_instances_observed 200\n"),
            std::string::npos);
  EXPECT_EQ(daemon.captured_err(), "");
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

TEST_F(Lifecycle, ClosesTheDescriptorsOfRemovedInstances) {
  auto daemon = start();
  static_cast<void>(list(mountpoint.path()));  // it has started completely when it answers
  const auto descriptors = [worker = worker_of(daemon.pid())] {
    return list("/proc/" + std::to_string(worker) + "/fd").size();
  };
  const auto before = descriptors();
  for (int round = 0; round < 5; ++round) {
    std::vector<ChildProcess> processes;
    for (int index = 0; index < 10; ++index) {
      const auto name = "instance" + std::to_string(index);
      processes.push_back(start_stand_in(data.socket(name)));
      data.write(running_record(name, processes.back().pid(), data.socket(name)));
      ASSERT_NE(read_file(mountpoint.path() / name / "memory_rss_bytes").text, "0\n");
    }
    EXPECT_EQ(descriptors(), before + 30);  // /proc/<pid>, and its files stat and statm
    for (int index = 0; index < 10; ++index) {
      data.remove("instance" + std::to_string(index));
    }
    EXPECT_EQ(list(mountpoint.path()),
              (std::vector<std::string>{"by-name", "instances.json", "metrics.prom", "summary"}));
    EXPECT_EQ(descriptors(), before);
  }
  daemon.send_signal(SIGTERM);
  expect_clean_exit(daemon);
}

}  // namespace
}  // namespace hypeman::tests
