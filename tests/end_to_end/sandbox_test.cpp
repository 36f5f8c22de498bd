// Enters the sandbox of the worker and tries operations that it must allow or forbid.
#include "fs/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <seccomp.h>
#include <spdlog/sinks/ostream_sink.h>

#include "base/unique_fd.hpp"
#include "fs/ring/uring.hpp"
#include "fs/sandbox/sanitizers.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

constexpr auto id = "qilviffnqzck2jrim1x6s2b1";

/// An operation to try in the sandbox, and the expected errno. 0 is success.
struct Attempt {
  std::string what;
  int expected;
  std::function<int()> errno_of;
};

/// The errno of a call that returned `result`, or 0.
int outcome(long result) {
  return result < 0 ? errno : 0;
}

/// Calls a system call by number. glibc has no function for some system calls, and its functions
/// for others do more than the system call.
template <class... Arguments>
Attempt call(const std::string& what, int expected, long number, Arguments... arguments) {
  return {what, expected, [=] { return outcome(::syscall(number, arguments...)); }};
}

int opening(const std::string& path, int flags) {
  const UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, 0666)};
  return fd ? 0 : errno;
}

/// A seccomp filter cannot check the flags of openat2(2).
int opening_by_openat2(const std::string& path, std::uint64_t flags) {
  struct open_how how {};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? 0666 : 0;
  const UniqueFd fd{
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how))};
  return fd ? 0 : errno;
}

int reading(const std::string& path) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 16> buffer{};
  return fd ? outcome(::read(fd.get(), buffer.data(), buffer.size())) : errno;
}

/// Shared memory for the results of a child process.
class SharedNumbers {
 public:
  explicit SharedNumbers(std::size_t count)
      : numbers_{static_cast<int*>(::mmap(nullptr, count * sizeof(int), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
                 count} {}
  SharedNumbers(const SharedNumbers&) = delete;
  SharedNumbers& operator=(const SharedNumbers&) = delete;
  SharedNumbers(SharedNumbers&&) = delete;
  SharedNumbers& operator=(SharedNumbers&&) = delete;
  ~SharedNumbers() { ::munmap(numbers_.data(), numbers_.size_bytes()); }

  int& operator[](std::size_t index) { return numbers_[index]; }

 private:
  std::span<int> numbers_;
};

class SandboxTest : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    // Everybody may write here, so that only the sandbox can prevent it.
    for (const auto& directory : {data.path(), outside.path()}) {
      std::filesystem::permissions(directory, std::filesystem::perms::all);
      std::ofstream{directory / "file"} << "text";
      ::chmod((directory / "file").c_str(), 0666);
    }
    data.write({.id = id});
    ::chmod(data.metadata(id).c_str(), 0600);
    std::filesystem::create_symlink(outside.path() / "file", data.path() / "link_to_file");
    std::filesystem::create_symlink(outside.path(), data.path() / "link_to_directory");
  }

  /// Enters the sandbox. Returns the lines that this logs.
  static std::string enter_and_log(const fs::Sandbox& sandbox) {
    std::ostringstream log;
    spdlog::logger logger{"", std::make_shared<spdlog::sinks::ostream_sink_st>(log)};
    logger.set_pattern("%v");
    const auto entered = fs::enter_sandbox(sandbox, logger);
    return entered ? log.str() : "not entered: " + entered.error();
  }

  /// Tries all operations in a child process that calls `prepare` and enters the sandbox.
  void try_all(
      const std::vector<Attempt>& attempts, fs::LogTarget log = fs::LogTarget::standard_error,
      const std::function<void()>& prepare = [] {}, const std::string& expected_log = {},
      bool io_uring = false) const {
    constexpr int not_tried = -1;
    SharedNumbers results{attempts.size()};
    for (std::size_t index = 0; index < attempts.size(); ++index) {
      results[index] = not_tried;
    }
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      prepare();
      const UniqueFd data_fd{::open(data.path().c_str(), O_RDONLY | O_DIRECTORY)};
      const UniqueFd proc_fd{::open("/proc", O_RDONLY | O_DIRECTORY)};
      const UniqueFd sys_fd{::open("/sys", O_RDONLY | O_DIRECTORY)};
      const auto logged =
          enter_and_log({.user = nobody,
                         .groups = {},
                         .readable_directories = {data_fd.get(), proc_fd.get(), sys_fd.get()},
                         .log = log,
                         .io_uring = io_uring});
      if (logged != expected_log) {
        static_cast<void>(::write(STDERR_FILENO, logged.data(), logged.size()));
        ::_exit(1);
      }
      for (std::size_t index = 0; index < attempts.size(); ++index) {
        results[index] = attempts[index].errno_of();
      }
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "the child did not try all operations";
    for (std::size_t index = 0; index < attempts.size(); ++index) {
      const auto& attempt = attempts[index];
      EXPECT_EQ(results[index], attempt.expected)
          << attempt.what << ": " << ::strerror(results[index]) << " instead of "
          << ::strerror(attempt.expected);
    }
  }

  const fs::User nobody{.name = "nobody", .uid = 65534, .gid = 65534};
  const std::string parent = std::to_string(::getpid());
  DataDirectory data;
  TemporaryDirectory outside;
};

TEST_F(SandboxTest, CanReadWhatTheWorkerNeeds) {
  std::filesystem::permissions(data.path(), std::filesystem::perms::owner_all);
  std::vector<Attempt> attempts;
  for (const auto& path :
       {data.metadata(id).string(), std::string{"/proc/1/stat"}, std::string{"/proc/1/statm"},
        std::string{"/proc/1/cmdline"}, std::string{"/proc/sys/kernel/random/boot_id"},
        std::string{"/sys/class/net/lo/statistics/rx_bytes"}}) {
    attempts.push_back({"read " + path, 0, [path] { return reading(path); }});
  }
  attempts.push_back(
      {"list the instances", 0, [this] { return opening(data.guests(), O_RDONLY | O_DIRECTORY); }});
  attempts.push_back({"start a thread", 0, [] {
                        std::thread{[] {}}.join();
                        return 0;
                      }});
  try_all(attempts);
}

TEST_F(SandboxTest, CannotReadAnythingElse) {
  std::vector<Attempt> attempts;
  const auto elsewhere = (outside.path() / "file").string();
  for (const auto& path : {
           elsewhere,
           std::string{"/etc/passwd"},
           std::string{"/etc/shadow"},
           std::string{"/dev/null"},
           std::string{"/dev/zero"},
           std::string{"/proc/self/exe"},
           std::string{"/proc/self/root/etc/passwd"},
           std::string{"/proc/self/cwd/."},
           std::string{"/proc/1/root/etc/passwd"},
           std::string{"/proc/1/environ"},
           "/proc/" + parent + "/environ",
           "/proc/" + parent + "/mem",
           "/proc/" + parent + "/root/etc/passwd",
           "/proc/" + parent + "/cwd/.",
           (data.path() / "link_to_file").string(),
           (data.path() / "link_to_directory" / "file").string(),
           (data.path() / ".." / outside.path().filename() / "file").string(),
       }) {
    attempts.push_back({"open " + path, EACCES, [path] { return opening(path, O_RDONLY); }});
    attempts.push_back(
        {"openat2 " + path, EACCES, [path] { return opening_by_openat2(path, O_RDONLY); }});
  }
  for (const auto& path : {std::string{"/"}, std::string{"/etc"}, std::string{"/root"},
                           outside.path().string(), std::string{"/proc/1/cwd"}}) {
    attempts.push_back(
        {"list " + path, EACCES, [path] { return opening(path, O_RDONLY | O_DIRECTORY); }});
  }
  // With CAP_DAC_READ_SEARCH, a file handle opens any file without a path.
  attempts.push_back(call("open_by_handle_at", EPERM, SYS_open_by_handle_at, AT_FDCWD, nullptr, 0));
  try_all(attempts);
}

TEST_F(SandboxTest, CannotWriteAnywhere) {
  std::vector<Attempt> attempts;
  const auto in_data = (data.path() / "file").string();
  const auto elsewhere = (outside.path() / "file").string();
  for (const auto& path :
       {in_data, elsewhere, data.metadata(id).string(), std::string{"/proc/self/comm"},
        std::string{"/proc/self/oom_score_adj"}, std::string{"/proc/self/mem"},
        std::string{"/proc/1/oom_score_adj"}, std::string{"/sys/power/state"},
        std::string{"/dev/null"}, std::string{"/dev/kmsg"}}) {
    for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC}) {
      const auto how = path + " with flags " + std::to_string(flags);
      attempts.push_back({"open " + how, EPERM, [path, flags] { return opening(path, flags); }});
      attempts.push_back({"openat2 " + how, EACCES, [path, flags] {
                            return opening_by_openat2(path, static_cast<unsigned>(flags));
                          }});
    }
  }
  for (const auto& directory : {data.path(), outside.path(), std::filesystem::path{"/tmp"},
                                std::filesystem::path{"/dev/shm"}}) {
    const auto path = (directory / "new").string();
    constexpr int create = O_WRONLY | O_CREAT;
    attempts.push_back({"create " + path, EPERM, [path] { return opening(path, create); }});
    attempts.push_back(
        {"create by openat2 " + path, EACCES, [path] { return opening_by_openat2(path, create); }});
    attempts.push_back(
        {"mkdir " + path, EPERM, [path] { return outcome(::mkdir(path.c_str(), 0777)); }});
    attempts.push_back(
        {"mknod " + path, EPERM, [path] { return outcome(::mknod(path.c_str(), S_IFIFO, 0)); }});
    attempts.push_back(
        {"symlink " + path, EPERM, [path] { return outcome(::symlink("/", path.c_str())); }});
  }
  for (const auto& path : {in_data, elsewhere}) {
    const auto other = path + "2";
    attempts.push_back(
        {"rename", EPERM, [=] { return outcome(::rename(path.c_str(), other.c_str())); }});
    attempts.push_back(
        {"link", EPERM, [=] { return outcome(::link(path.c_str(), other.c_str())); }});
    attempts.push_back({"unlink", EPERM, [=] { return outcome(::unlink(path.c_str())); }});
    attempts.push_back({"truncate", EPERM, [=] { return outcome(::truncate(path.c_str(), 0)); }});
    attempts.push_back({"chmod", EPERM, [=] { return outcome(::chmod(path.c_str(), 0)); }});
    attempts.push_back(
        {"chown", EPERM, [=] { return outcome(::chown(path.c_str(), 65534, 65534)); }});
    attempts.push_back({"utimensat", EPERM,
                        [=] { return outcome(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0)); }});
  }
  attempts.push_back(call("memfd_create", EPERM, SYS_memfd_create, "", 0));
  try_all(attempts);
}

TEST_F(SandboxTest, CannotCreateASocket) {
  std::vector<Attempt> attempts;
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG}) {
    for (const int type :
         {int{SOCK_STREAM}, int{SOCK_DGRAM}, SOCK_DGRAM | SOCK_CLOEXEC, int{SOCK_RAW}}) {
      attempts.push_back(
          call("socket of family " + std::to_string(family), EPERM, SYS_socket, family, type, 0));
    }
  }
  attempts.push_back(call("socketpair", EPERM, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nullptr));
  attempts.push_back(call("connect", EPERM, SYS_connect, 0, nullptr, 0));
  attempts.push_back(call("bind", EPERM, SYS_bind, 0, nullptr, 0));
  attempts.push_back(call("io_uring_setup", EPERM, SYS_io_uring_setup, 1, nullptr));
  try_all(attempts);
}

TEST_F(SandboxTest, CanCreateASocketOnlyForSyslog) {
  std::vector<Attempt> attempts{
      call("the socket of syslog(3)", 0, SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  attempts.push_back(call("a stream", EPERM, SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
    attempts.push_back(call("socket of family " + std::to_string(family), EPERM, SYS_socket, family,
                            SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  attempts.push_back(call("bind", EPERM, SYS_bind, 0, nullptr, 0));
  attempts.push_back(call("listen", EPERM, SYS_listen, 0, 1));
  try_all(attempts, fs::LogTarget::syslog);
}

/// A ring of the worker, and operations on it. The child process of try_all() makes the ring.
class RingSandboxTest : public SandboxTest {
 protected:
  /// Submits an operation. The result is its errno.
  [[nodiscard]] Attempt through_ring(const std::string& what, int expected,
                                     const std::function<void(io_uring_sqe&)>& fill) {
    return {what, expected, [this, fill] {
              auto& ring = ring_->raw();
              auto* const submission = ::io_uring_get_sqe(&ring);
              constexpr std::size_t large_submission = 128;
              std::memset(submission, 0, large_submission);
              fill(*submission);
              if (const auto submitted = ring_->submit(); !submitted) {
                return submitted.error().value();
              }
              const auto completion = ring_->take();
              return completion ? -completion->result : EINPROGRESS;
            }};
  }

  void try_all_with_ring(const std::vector<Attempt>& attempts) {
    try_all(
        attempts, fs::LogTarget::standard_error,
        [this] {
          device_ = UniqueFd{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
          auto made = fs::Uring::create(device_.get(), 8, 8);
          if (!made) {
            ::_exit(2);
          }
          ring_.emplace(*std::move(made));
        },
        {}, /*io_uring=*/true);
  }

  UniqueFd device_;
  std::optional<fs::Uring> ring_;
  std::array<char, 16> buffer_{};
};

TEST_F(RingSandboxTest, ARingAcceptsOnlyCommandsToItsDevice) {
  const auto path = (outside.path() / "file").string();
  const auto address = [](const void* pointer) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pointer));
  };
  std::vector<Attempt> attempts;
  for (const unsigned flags : {0U, unsigned{IOSQE_FIXED_FILE}}) {
    const auto with = [&](const std::string& what, unsigned operation, int fd, const void* pointer,
                          std::uint64_t offset, std::uint32_t length) {
      attempts.push_back(through_ring(what + " with flags " + std::to_string(flags), EACCES,
                                      [=](io_uring_sqe& submission) {
                                        submission.opcode = static_cast<std::uint8_t>(operation);
                                        submission.flags = static_cast<std::uint8_t>(flags);
                                        submission.fd = fd;
                                        submission.addr = address(pointer);
                                        submission.off = offset;
                                        submission.len = length;
                                      }));
    };
    with("OPENAT", IORING_OP_OPENAT, AT_FDCWD, path.c_str(), 0, 0);
    with("OPENAT2", IORING_OP_OPENAT2, AT_FDCWD, path.c_str(), 0, sizeof(open_how));
    with("SOCKET", IORING_OP_SOCKET, AF_INET, nullptr, SOCK_STREAM, 0);
    with("CONNECT", IORING_OP_CONNECT, 0, buffer_.data(), 16, 0);
    with("SEND", IORING_OP_SEND, 0, buffer_.data(), 0, 16);
    with("READ", IORING_OP_READ, 0, buffer_.data(), 0, 16);
    with("WRITE", IORING_OP_WRITE, STDERR_FILENO, buffer_.data(), 0, 16);
    with("UNLINKAT", IORING_OP_UNLINKAT, AT_FDCWD, path.c_str(), 0, 0);
    with("MSG_RING", IORING_OP_MSG_RING, 0, nullptr, 0, 0);
    with("NOP", IORING_OP_NOP, 0, nullptr, 0, 0);
  }
  const auto command = [&](const std::string& what, int expected, unsigned flags, int fd) {
    attempts.push_back(through_ring(what, expected, [=](io_uring_sqe& submission) {
      submission.opcode = IORING_OP_URING_CMD;
      submission.flags = static_cast<std::uint8_t>(flags);
      submission.fd = fd;
    }));
  };
  command("a command to another descriptor", EACCES, 0, STDERR_FILENO);
  command("a command to another registered file", EBADF, IOSQE_FIXED_FILE, 1);
  command("a linked command", EACCES, IOSQE_FIXED_FILE | IOSQE_IO_LINK, 0);
  command("a command in another thread", EACCES, IOSQE_FIXED_FILE | IOSQE_ASYNC, 0);
  try_all_with_ring(attempts);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(RingSandboxTest, RingsCannotBeMadeOrChanged) {
  std::vector<Attempt> attempts{
      call("io_uring_setup", EPERM, SYS_io_uring_setup, 1, nullptr),
      {"io_uring_register", EPERM,
       [this] {
         return outcome(::syscall(SYS_io_uring_register, ring_->raw().ring_fd,
                                  IORING_UNREGISTER_FILES, nullptr, 0));
       }},
      {"io_uring_enter with another flag", EPERM,
       [this] {
         return outcome(::syscall(SYS_io_uring_enter, ring_->raw().ring_fd, 0, 0,
                                  IORING_ENTER_SQ_WAIT, nullptr, 0));
       }},
      {"io_uring_enter", 0,
       [this] {
         return outcome(::syscall(SYS_io_uring_enter, ring_->raw().ring_fd, 0, 0,
                                  IORING_ENTER_GETEVENTS, nullptr, 0));
       }},
      call("sched_setaffinity of another process", EPERM, SYS_sched_setaffinity, ::getpid(), 0,
           nullptr),
  };
  try_all_with_ring(attempts);
}

/// The filter does not allow a change, and neither does the ring itself.
TEST_F(RingSandboxTest, ARingRefusesChangesItself) {
  const UniqueFd device{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
  auto ring = fs::Uring::create(device.get(), 8, 8);
  ASSERT_TRUE(ring) << ring.error().message();
  for (const unsigned operation :
       {unsigned{IORING_UNREGISTER_FILES}, unsigned{IORING_REGISTER_FILES2},
        unsigned{IORING_REGISTER_FILES_UPDATE}, unsigned{IORING_REGISTER_EVENTFD},
        unsigned{IORING_REGISTER_PERSONALITY}}) {
    EXPECT_EQ(outcome(::syscall(SYS_io_uring_register, ring->raw().ring_fd, operation, nullptr, 0)),
              EACCES)
        << operation;
  }
}

TEST_F(SandboxTest, WithoutRingsIoUringIsForbidden) {
  try_all({
      call("io_uring_setup", EPERM, SYS_io_uring_setup, 1, nullptr),
      call("io_uring_enter", EPERM, SYS_io_uring_enter, 0, 0, 0, 0, nullptr, 0),
      call("io_uring_register", EPERM, SYS_io_uring_register, 0, 0, nullptr, 0),
      call("sched_setaffinity", EPERM, SYS_sched_setaffinity, 0, 0, nullptr),
  });
}

TEST_F(SandboxTest, CannotExecute) {
  std::vector<Attempt> attempts{
      {"execve", EPERM,
       [] {
         std::string program{"/bin/true"};
         std::array<char*, 2> arguments{program.data(), nullptr};
         return outcome(::execv(program.c_str(), arguments.data()));
       }},
      call("execveat", EPERM, SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0),
      call("clone3", ENOSYS, SYS_clone3, nullptr, 0),
      call("vfork", EPERM, SYS_vfork),
      call("fork", EPERM, SYS_fork),
  };
  if (!fs::sanitized) {
    attempts.push_back(call("clone", EPERM, SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
    attempts.push_back(call("executable memory", EPERM, SYS_mmap, nullptr, 4096,
                            PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  try_all(attempts);
}

TEST_F(SandboxTest, CannotAffectOtherProcessesOrTheSystem) {
  const auto other = ::getpid();
  std::vector<Attempt> attempts{
      call("kill", EPERM, SYS_kill, other, 0),
      call("kill of init", EPERM, SYS_kill, 1, SIGKILL),
      call("tkill", EPERM, SYS_tkill, other, 0),
      call("tgkill", EPERM, SYS_tgkill, other, other, 0),
      call("pidfd_open", EPERM, SYS_pidfd_open, other, 0),
      call("process_vm_readv", EPERM, SYS_process_vm_readv, other, nullptr, 0, nullptr, 0, 0),
      call("setpriority", EPERM, SYS_setpriority, PRIO_PROCESS, other, 0),
      call("mount", EPERM, SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr),
      call("umount2", EPERM, SYS_umount2, "/proc", 0),
      call("open_tree", EPERM, SYS_open_tree, AT_FDCWD, "/", 0),
      call("unshare", EPERM, SYS_unshare, CLONE_NEWUSER),
      call("setns", EPERM, SYS_setns, 0, 0),
      call("chroot", EPERM, SYS_chroot, "/proc"),
      call("setuid", EPERM, SYS_setuid, 0),
      call("setgroups", EPERM, SYS_setgroups, 0, nullptr),
      call("capset", EPERM, SYS_capset, nullptr, nullptr),
      call("seccomp", EPERM, SYS_seccomp, 0, 0, nullptr),
      call("bpf", EPERM, SYS_bpf, 0, nullptr, 0),
      call("perf_event_open", EPERM, SYS_perf_event_open, nullptr, 0, 0, 0, 0),
      call("keyctl", EPERM, SYS_keyctl, 0),
      call("ioctl", EPERM, SYS_ioctl, 0, 0, 0),
      call("init_module", EPERM, SYS_init_module, nullptr, 0, nullptr),
      call("reboot", EPERM, SYS_reboot, 0, 0, 0, nullptr),
      call("syslog", EPERM, SYS_syslog, 3, nullptr, 0),
  };
  if (!fs::sanitized) {
    attempts.push_back(call("ptrace", EPERM, SYS_ptrace, PTRACE_ATTACH, other, nullptr, nullptr));
    attempts.push_back(call("prctl", EPERM, SYS_prctl, 0, 0, 0, 0, 0));
    rlimit none{};
    attempts.push_back(
        {"setrlimit", EPERM, [none] { return outcome(::setrlimit(RLIMIT_CORE, &none)); }});
  }
  try_all(attempts);
}

TEST_F(SandboxTest, FilterWorksWithoutLandlock) {
  const auto without_landlock = [] {
    auto* const filter = ::seccomp_init(SCMP_ACT_ALLOW);
    ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0);
    ::seccomp_load(filter);
    ::seccomp_release(filter);
  };
  try_all(
      {
          {"open to write", EPERM, [] { return opening("/tmp/new", O_WRONLY | O_CREAT); }},
          {"read elsewhere", 0, [this] { return reading(outside.path() / "file"); }},
          call("socket", EPERM, SYS_socket, AF_INET, SOCK_STREAM, 0),
      },
      fs::LogTarget::standard_error, without_landlock,
      "cannot restrict file access with Landlock: Function not implemented; "
      "continuing without it\n");
}

}  // namespace
}  // namespace hypeman::tests
