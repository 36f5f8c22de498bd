// The privileges of the monitor and the worker process, and how the two processes end.
#include "tests/support/privileges.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>
#include <sysexits.h>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

constexpr auto id = "qilviffnqzck2jrim1x6s2b1";
constexpr auto no_capability = "0000000000000000";
constexpr auto only_dac_read_search = "0000000000000004";
constexpr auto only_sys_admin = "0000000000200000";
constexpr auto sys_admin_and_dac_read_search = "0000000000200004";

/// A field of /proc/<pid>/status. Single blanks separate its words.
std::string status_field(pid_t pid, const std::string& name) {
  std::istringstream status{read_file("/proc/" + std::to_string(pid) + "/status").text};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) {
      std::istringstream words{line.substr(name.size() + 1)};
      std::string value;
      for (std::string word; words >> word;) {
        value += (value.empty() ? "" : " ") + word;
      }
      return value;
    }
  }
  throw std::runtime_error{"no field " + name + " of process " + std::to_string(pid)};
}

/// Whether the process runs. A zombie does not.
bool runs(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status").text;
  return !status.empty() && status.find("State:\tZ") == std::string::npos;
}

/// Waits, because the worker can answer before the monitor has dropped its capabilities.
void expect_capabilities(pid_t pid, const std::string& permitted) {
  EXPECT_TRUE(eventually([&] { return status_field(pid, "CapPrm") == permitted; }))
      << status_field(pid, "CapPrm");
  EXPECT_EQ(status_field(pid, "CapEff"), permitted);
  EXPECT_EQ(status_field(pid, "CapInh"), no_capability);
  EXPECT_EQ(status_field(pid, "CapAmb"), no_capability);
  EXPECT_EQ(status_field(pid, "CapBnd"), no_capability);
  EXPECT_EQ(status_field(pid, "NoNewPrivs"), "1");
}

/// The service manager's end of sd_notify(3).
class NotifySocket {
 public:
  explicit NotifySocket(const std::filesystem::path& path)
      : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(&address.sun_path[0], sizeof address.sun_path - 1);
    const int enabled = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &enabled, sizeof enabled);
    const timeval timeout{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const void* const generic = &address;
    if (::bind(socket_.get(), static_cast<const sockaddr*>(generic), sizeof address) != 0) {
      throw std::runtime_error{"cannot bind " + path.string()};
    }
  }

  /// The next message. Empty if none arrives in ten seconds, or if it is not from `sender`.
  [[nodiscard]] std::string receive_from(pid_t sender) const {
    std::array<char, 4096> text{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto length = ::recvmsg(socket_.get(), &message, 0);
    const auto* const header = CMSG_FIRSTHDR(&message);
    ucred credentials{};
    if (length < 0 || header == nullptr || header->cmsg_type != SCM_CREDENTIALS) {
      return {};
    }
    std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
    return credentials.pid == sender ? std::string{text.data(), static_cast<std::size_t>(length)}
                                     : "";
  }

 private:
  UniqueFd socket_;
};

class Privileges : public EndToEndTest {
 protected:
  void TearDown() override {
    while (::umount2(mountpoint.path().c_str(), MNT_DETACH) == 0) {
    }
  }

  [[nodiscard]] ChildProcess start(const std::vector<std::string>& options = {}) const {
    std::vector<std::string> arguments{std::string{paths::statsfs}, "-f", data.path(),
                                       mountpoint.path(),           "-o", "io_uring=off"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    auto daemon = ChildProcess::spawn(arguments);
    EXPECT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
    return daemon;
  }

  /// Runs a command that must fail with this exit status and one line that contains `words`.
  void expect_failure(const std::vector<std::string>& command, int status,
                      const std::string& words) const {
    const auto result = run(command);
    EXPECT_EQ(result.status.code, status) << result.err;
    EXPECT_TRUE(result.err.starts_with("hypeman-statsfs: ")) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
    EXPECT_FALSE(in_mount_table());
  }

  [[nodiscard]] bool in_mount_table() const {
    return read_file("/proc/self/mounts").text.find(mountpoint.path().string() + " ") !=
           std::string::npos;
  }

  static int stop(ChildProcess& daemon) {
    daemon.send_signal(SIGTERM);
    const auto status = daemon.wait(std::chrono::seconds{10});
    return status ? status->code : -1;
  }

  DataDirectory data;
  TemporaryDirectory mountpoint;
};

TEST_F(Privileges, WorkerHasOnlyCapDacReadSearch) {
  const StatsMount mount{data.path()};
  const auto worker = mount.worker_pid();
  const auto user = run({"id", "-u", "hypeman-statsfs"});
  const auto uid = user.status.success() ? user.out.substr(0, user.out.find('\n')) : "65534";
  EXPECT_EQ(status_field(worker, "Uid"), uid + " " + uid + " " + uid + " " + uid);
  EXPECT_NE(status_field(worker, "Gid").substr(0, 2), "0 ");
  EXPECT_EQ(status_field(worker, "Groups"), "");
  EXPECT_EQ(status_field(worker, "Seccomp"), "2");
  expect_capabilities(worker, only_dac_read_search);
}

/// What a process has open for writing, except its standard streams.
std::set<std::string> writable_files_of(pid_t pid) {
  std::set<std::string> found;
  const auto directory = std::filesystem::path{"/proc"} / std::to_string(pid) / "fd";
  for (const auto& name : list(directory)) {
    const auto path = directory / name;
    std::error_code error;  // it may be closed meanwhile
    const auto target = std::filesystem::read_symlink(path, error).string();
    struct stat link {};
    if (!error && ::lstat(path.c_str(), &link) == 0 && (link.st_mode & S_IWUSR) != 0 &&
        std::stoi(name) > STDERR_FILENO) {
      found.insert(target);
    }
  }
  return found;
}

TEST_F(Privileges, WorkerHasNoWritableFileOpen) {
  const StatsMount mount{data.path()};
  const std::set<std::string> allowed{"/dev/fuse", "anon_inode:[eventfd]", "anon_inode:[io_uring]"};
  // The pipe to the monitor process is closed soon after the mount has answered.
  EXPECT_TRUE(eventually([&] {
    return std::ranges::includes(allowed, writable_files_of(mount.worker_pid()));
  })) << ::testing::PrintToString(writable_files_of(mount.worker_pid()));
}

TEST_F(Privileges, MonitorHasOnlyCapSysAdmin) {
  StatsMount mount{data.path()};
  expect_capabilities(mount.daemon().pid(), only_sys_admin);
  const auto directory = "/proc/" + std::to_string(mount.daemon().pid()) + "/fd";
  EXPECT_TRUE(eventually([&] { return list(directory).size() == 5; }))
      << list(directory).size() << " instead of the standard streams, a pipe and a signalfd";
}

TEST_F(Privileges, LandlockRestrictsTheRunningWorker) {
  const auto parent = data.path() / "parent";
  std::filesystem::create_directories(parent / "data/guests");
  const StatsMount mount{parent / "data"};
  ASSERT_TRUE(mount.instances().empty());
  // Only Landlock prevents the worker from reading this: it is not below the parent.
  data.write({.id = id});
  std::filesystem::remove(parent / "data/guests");
  std::filesystem::create_directory_symlink(data.guests(), parent / "data/guests");
  EXPECT_THROW(static_cast<void>(list(mount.path())), std::filesystem::filesystem_error);
  EXPECT_EQ(mount.read(id, "allocated_vcpus").error, EACCES);
}

TEST_F(Privileges, GuestsCanBeASymlinkAtTheStart) {
  data.write({.id = id});
  const TemporaryDirectory elsewhere;
  std::filesystem::rename(data.guests(), elsewhere.path() / "guests");
  std::filesystem::create_directory_symlink(elsewhere.path() / "guests", data.guests());
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
}

TEST_F(Privileges, DataDirectoryCanBeReadableByRootOnly) {
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  for (const auto& path : {data.path(), data.guests(), data.instance(id)}) {
    ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
  }
  ASSERT_EQ(::chmod(data.metadata(id).c_str(), 0600), 0);
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
  EXPECT_GT(mount.number(id, "memory_rss_bytes"), 0U);
  EXPECT_EQ(mount.instances(), std::vector<std::string>{id});
}

TEST_F(Privileges, RunAsSetsTheUser) {
  const StatsMount mount{data.path(), {"-o", "run_as=daemon"}};
  EXPECT_EQ(status_field(mount.worker_pid(), "Uid"), "1 1 1 1");
  expect_capabilities(mount.worker_pid(), only_dac_read_search);
}

TEST_F(Privileges, UnknownUserIsRefused) {
  expect_failure(
      {std::string{paths::statsfs}, data.path(), mountpoint.path(), "-o", "run_as=nosuchuser"},
      EX_USAGE, "run_as=nosuchuser: no such user");
}

TEST_F(Privileges, ErrorNamesTheCapabilityToChangeTheUser) {
  const std::vector<std::string> command{"setpriv", "--bounding-set=-setuid,-setgid",
                                         std::string{paths::statsfs}, data.path(),
                                         mountpoint.path()};
  expect_failure(command, EX_NOPERM, "CAP_SETUID");
  auto as_current_user = command;
  as_current_user.insert(as_current_user.end(), {"-o", "run_as=root"});
  const auto started = run(as_current_user);
  EXPECT_TRUE(started.status.success()) << started.err;
  EXPECT_TRUE(is_mounted(mountpoint.path()));
  EXPECT_TRUE(run({"umount", mountpoint.path()}).status.success());
}

TEST_F(Privileges, ErrorNamesTheCapabilityToReadIfItIsNeeded) {
  const std::vector<std::string> command{"setpriv", "--bounding-set=-dac_read_search,-dac_override",
                                         std::string{paths::statsfs}, data.path(),
                                         mountpoint.path()};
  ASSERT_EQ(::chmod(data.path().c_str(), 0700), 0);
  expect_failure(command, EX_NOINPUT, "CAP_DAC_READ_SEARCH");
  ASSERT_EQ(::chmod(data.path().c_str(), 0755), 0);
  EXPECT_TRUE(run(command).status.success());
  EXPECT_TRUE(run({"umount", mountpoint.path()}).status.success());
}

TEST_F(Privileges, LogsOnceWhatItCannotDrop) {
  auto daemon =
      ChildProcess::spawn({"setpriv", "--bounding-set=-setpcap", std::string{paths::statsfs}, "-f",
                           data.path(), mountpoint.path(), "-o", "io_uring=off"});
  ASSERT_TRUE(eventually([&] { return is_mounted(mountpoint.path()); })) << daemon.captured_err();
  EXPECT_EQ(stop(daemon), EX_OK);
  EXPECT_NE(daemon.captured_err().find("CAP_SETPCAP"), std::string::npos);
  EXPECT_EQ(daemon.captured_err().find('\n'), daemon.captured_err().size() - 1);
}

TEST_F(Privileges, SeesHiddenProcessesThroughTheGroupOfProc) {
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const std::string script =
      "mount -t proc -o \"$5\" proc /proc\n"
      "\"$1\" \"$2\" \"$3\"\n"
      "cat \"$3/$4/memory_rss_bytes\"\n"
      "umount \"$3\"";
  for (const auto* const options : {"hidepid=invisible", "hidepid=noaccess,gid=12345"}) {
    const auto result =
        run({"unshare", "--mount", "sh", "-ec", script, "sh", std::string{paths::statsfs},
             data.path(), mountpoint.path(), id, options});
    ASSERT_TRUE(result.status.success()) << options << ": " << result.err;
    EXPECT_GT(std::stoull(result.out), 0U) << options;
  }
}

TEST_F(Privileges, FailsIfProcessesStayHidden) {
  const std::string script =
      "mount -t proc -o hidepid=ptraceable proc /proc\n"
      "exec \"$1\" \"$2\" \"$3\"";
  expect_failure({"unshare", "--mount", "sh", "-ec", script, "sh", std::string{paths::statsfs},
                  data.path(), mountpoint.path()},
                 EX_NOINPUT, "hidepid");
}

TEST_F(Privileges, MonitorUnmountsAndFailsWhenTheWorkerIsKilled) {
  data.write({.id = id});
  for (const bool held : {false, true}) {
    auto daemon = start();
    UniqueFd file;
    if (held) {
      file =
          UniqueFd{::open((mountpoint.path() / id / "stats.json").c_str(), O_RDONLY | O_CLOEXEC)};
    }
    ASSERT_EQ(::kill(worker_of(daemon.pid()), SIGKILL), 0);
    const auto status = daemon.wait(std::chrono::seconds{10});
    ASSERT_TRUE(status) << "the monitor did not exit";
    EXPECT_EQ(status->code, EX_SOFTWARE);
    EXPECT_FALSE(in_mount_table());
    const auto log = daemon.captured_err();
    EXPECT_TRUE(
        log.ends_with(": unmounted because signal 9 (Killed) ended the worker process; "
                      "start hypeman-statsfs again\n"))
        << log;
    EXPECT_EQ(log.find('\n'), log.size() - 1) << log;
  }
}

TEST_F(Privileges, WorkerEndsWhenTheMonitorIsKilled) {
  data.write({.id = id});
  auto killed = start();
  const auto worker = worker_of(killed.pid());
  killed.send_signal(SIGKILL);
  ASSERT_TRUE(killed.wait(std::chrono::seconds{10}));
  EXPECT_TRUE(eventually([&] { return !runs(worker); }, std::chrono::seconds{5}));

  auto daemon = start();
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  EXPECT_EQ(stop(daemon), EX_OK);
}

TEST_F(Privileges, WorkerIgnoresSignalsToStop) {
  auto daemon = start();
  const auto worker = worker_of(daemon.pid());
  // A service manager, or Ctrl-C, sends these signals to all processes at once. Only the monitor
  // handles them.
  ASSERT_EQ(::kill(worker, SIGTERM), 0);
  ASSERT_EQ(::kill(worker, SIGINT), 0);
  EXPECT_FALSE(daemon.wait(std::chrono::milliseconds{100}));
  EXPECT_EQ(stop(daemon), EX_OK);
  EXPECT_FALSE(in_mount_table());
}

TEST_F(Privileges, UnmountsBelowADirectoryThatItCannotSearch) {
  const auto closed = mountpoint.path() / "closed";
  const auto inner = closed / "stats";
  std::filesystem::create_directories(inner);
  ASSERT_EQ(::chmod(closed.c_str(), 0700), 0);
  ASSERT_EQ(::chown(closed.c_str(), 1, 1), 0);
  auto daemon = ChildProcess::spawn({std::string{paths::statsfs}, "-f", data.path(), inner});
  ASSERT_TRUE(eventually([&] { return is_mounted(inner); })) << daemon.captured_err();
  expect_capabilities(daemon.pid(), sys_admin_and_dac_read_search);
  EXPECT_EQ(stop(daemon), EX_OK);
  EXPECT_FALSE(is_mounted(inner));
}

TEST_F(Privileges, ReadyMeansThatTheMountAnswers) {
  data.write({.id = id});
  const TemporaryDirectory sockets;
  const NotifySocket manager{sockets.path() / "notify"};
  SpawnOptions options;
  options.environment["NOTIFY_SOCKET"] = sockets.path() / "notify";
  auto daemon = ChildProcess::spawn(
      {std::string{paths::statsfs}, "-f", data.path(), mountpoint.path()}, options);
  // A service manager accepts messages only from the process that it started (NotifyAccess=main).
  EXPECT_EQ(manager.receive_from(daemon.pid()),
            "READY=1\nSTATUS=Mounted at " + mountpoint.path().string());
  EXPECT_EQ(read_file(mountpoint.path() / id / "allocated_vcpus").text, "2\n");
  EXPECT_EQ(stop(daemon), EX_OK);
  EXPECT_EQ(manager.receive_from(daemon.pid()), "STOPPING=1\nSTATUS=Unmounting");
}

TEST_F(Privileges, IsNotReadyIfTheStartFails) {
  const TemporaryDirectory sockets;
  const NotifySocket manager{sockets.path() / "notify"};
  SpawnOptions options;
  options.environment["NOTIFY_SOCKET"] = sockets.path() / "notify";
  auto daemon =
      ChildProcess::spawn({"setpriv", "--bounding-set=-setuid", std::string{paths::statsfs}, "-f",
                           data.path(), mountpoint.path()},
                          options);
  const auto status = daemon.wait(std::chrono::seconds{10});
  ASSERT_TRUE(status) << "the daemon did not exit";
  EXPECT_EQ(status->code, EX_NOPERM) << daemon.captured_err();
  EXPECT_EQ(manager.receive_from(daemon.pid()), "STOPPING=1\nSTATUS=Unmounting");
}

TEST_F(Privileges, LogsAfterARestartOfSyslogd) {
  // A private /dev, in which the test can create /dev/log.
  const std::string script =
      "mount -t tmpfs none /mnt\n"
      "cp -a /dev/null /dev/fuse /dev/urandom /mnt\n"
      "mount --move /mnt /dev\n"
      "for round in 1 2; do\n"
      "  rm -f /dev/log\n"
      "  socat -u UNIX-RECV:/dev/log,mode=666 OPEN:/dev/log$round,creat & syslogd=$!\n"
      "  until [ -S /dev/log ]; do sleep 0.01; done\n"
      "  [ $round = 2 ] || \"$1\" \"$2\" \"$3\"\n"
      "  mkdir \"$2/guests/instance$round\"\n"
      "  echo '{' > \"$2/guests/instance$round/metadata.json\"\n"
      "  ls \"$3\" > /dev/null\n"
      "  for i in $(seq 300); do\n"
      "    ! grep -q instance$round /dev/log$round || break\n"
      "    sleep 0.01\n"
      "  done\n"
      "  kill $syslogd; wait $syslogd || :\n"
      "done\n"
      "umount \"$3\"\n"
      "cat /dev/log1; echo; cat /dev/log2";
  const auto result = run({"unshare", "--mount", "sh", "-ec", script, "sh",
                           std::string{paths::statsfs}, data.path(), mountpoint.path()});
  EXPECT_TRUE(result.status.success()) << result.err;
  EXPECT_NE(result.out.find("instance1"), std::string::npos) << result.out << result.err;
  EXPECT_NE(result.out.find("instance2"), std::string::npos) << result.out << result.err;
}

}  // namespace
}  // namespace hypeman::tests
