#include "tests/support/child_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "tests/support/errors.hpp"

namespace hypeman::tests {
namespace {

constexpr uid_t nobody = 65534;

UniqueFd open_or_throw(const std::filesystem::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) {
    throw errno_error("open " + path.string());
  }
  return fd;
}

/// The descriptor for a stream of the child. Without one, the child keeps the parent's stream.
UniqueFd open_output(const Output& output, const char* stream) {
  if (std::holds_alternative<Inherit>(output)) {
    return {};
  }
  if (std::holds_alternative<Discard>(output)) {
    return open_or_throw("/dev/null", O_WRONLY);
  }
  if (const auto* path = std::get_if<std::filesystem::path>(&output)) {
    return open_or_throw(*path, O_WRONLY | O_CREAT | O_APPEND);
  }
  UniqueFd fd(::memfd_create(stream, MFD_CLOEXEC));
  if (!fd) {
    throw errno_error("memfd_create");
  }
  return fd;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!additions.contains(std::string(text.substr(0, text.find('='))))) {
      environment.emplace_back(text);
    }
  }
  for (const auto& [name, value] : additions) {
    environment.emplace_back(name).append("=").append(value);
  }
  return environment;
}

std::vector<char*> c_strings(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything that the child needs, allocated before the fork. Between fork and exec, the child
/// must not allocate memory, because another thread of the parent may have locked the allocator.
struct ChildSetup {
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* working_directory;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  int in;
  int out;
  int err;
  pid_t parent;
};

bool become(const ChildSetup& setup) {
  if (setup.uid && ::setgroups(0, nullptr) != 0) {
    return false;
  }
  if (setup.gid && ::setresgid(*setup.gid, *setup.gid, *setup.gid) != 0) {
    return false;
  }
  return !setup.uid || ::setresuid(*setup.uid, *setup.uid, *setup.uid) == 0;
}

bool redirect(int from, int to) {
  return from < 0 || ::dup2(from, to) == to;
}

/// Runs in the child. Returns only if the program could not be started, with the reason in errno.
void execute(const ChildSetup& setup) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!redirect(setup.in, STDIN_FILENO) || !redirect(setup.out, STDOUT_FILENO) ||
      !redirect(setup.err, STDERR_FILENO)) {
    return;
  }
  if (*setup.working_directory != '\0' && ::chdir(setup.working_directory) != 0) {
    return;
  }
  // A change of the user clears the parent-death signal, so this comes last.
  if (!become(setup) || ::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
    return;
  }
  if (::getppid() != setup.parent) {
    ::_exit(1);
  }
  ::execvpe(setup.argv.front(), setup.argv.data(), setup.environment.data());
}

/// Calls it by number, because glibc 2.36 declares pidfd_open() without C linkage.
UniqueFd open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) {
    throw errno_error("open a pidfd");
  }
  return fd;
}

std::string read_from_start(const UniqueFd& fd) {
  if (!fd) {
    throw std::logic_error("this stream of the child was not captured");
  }
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got =
        ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(content.size()));
    if (got < 0) {
      throw errno_error("read captured output");
    }
    if (got == 0) {
      return content;
    }
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

bool is_captured(const Output& output) {
  return std::holds_alternative<Capture>(output);
}

}  // namespace

SpawnOptions as_unprivileged_user() {
  SpawnOptions options;
  options.uid = nobody;
  options.gid = nobody;
  return options;
}

ChildProcess ChildProcess::spawn(const std::vector<std::string>& argv,
                                 const SpawnOptions& options) {
  if (argv.empty()) {
    throw std::invalid_argument("spawn: no program given");
  }
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = merged_environment(options.environment);
  const UniqueFd in = open_or_throw("/dev/null", O_RDONLY);
  UniqueFd out = open_output(options.out, "stdout");
  UniqueFd err = open_output(options.err, "stderr");
  const ChildSetup setup{.argv = c_strings(arguments),
                         .environment = c_strings(environment),
                         .working_directory = options.working_directory.c_str(),
                         .uid = options.uid,
                         .gid = options.gid,
                         .in = in.get(),
                         .out = out.get(),
                         .err = err.get(),
                         .parent = ::getpid()};

  // A successful exec closes the write end. If exec fails, the child writes its errno to the pipe.
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw errno_error("pipe");
  }
  const UniqueFd failure_in(ends[0]);
  UniqueFd failure_out(ends[1]);

  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) {
    throw errno_error("fork");
  }
  if (child.pid_ == 0) {
    execute(setup);
    const int error = errno;
    static_cast<void>(::write(failure_out.get(), &error, sizeof error) == sizeof error);
    ::_exit(127);
  }
  failure_out = UniqueFd();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure_in.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error) {
    throw std::system_error(error, std::generic_category(), "start " + argv.front());
  }
  child.pidfd_ = open_pidfd(child.pid_);
  if (is_captured(options.out)) {
    child.out_ = std::move(out);
  }
  if (is_captured(options.err)) {
    child.err_ = std::move(err);
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    out_ = std::move(other.out_);
    err_ = std::move(other.err_);
    status_ = other.status_;
  }
  return *this;
}

ChildProcess::~ChildProcess() {
  kill_and_reap();
}

void ChildProcess::kill_and_reap() noexcept {
  // A dead child keeps its PID until it is reaped, so this cannot signal another process.
  if (pid_ > 0 && !status_) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

void ChildProcess::send_signal(int signal) const {
  if (!status_ && ::kill(pid_, signal) != 0) {
    throw errno_error("signal process " + std::to_string(pid_));
  }
}

std::optional<ExitStatus> ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (status_) {
    return status_;
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  pollfd exited{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&exited, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (ready == 0) {
      return std::nullopt;
    }
    if (ready > 0) {
      break;
    }
    if (errno != EINTR) {
      throw errno_error("poll a pidfd");
    }
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) {
    throw errno_error("wait for process " + std::to_string(pid_));
  }
  status_ = WIFEXITED(status) ? ExitStatus{.code = WEXITSTATUS(status), .signal = 0}
                              : ExitStatus{.code = -1, .signal = WTERMSIG(status)};
  return status_;
}

std::string ChildProcess::captured_out() const {
  return read_from_start(out_);
}

std::string ChildProcess::captured_err() const {
  return read_from_start(err_);
}

CommandResult run(const std::vector<std::string>& argv, const SpawnOptions& options,
                  std::chrono::milliseconds timeout) {
  ChildProcess child = ChildProcess::spawn(argv, options);
  const std::optional<ExitStatus> status = child.wait(timeout);
  if (!status) {
    throw std::runtime_error(argv.front() + " still ran after " + std::to_string(timeout.count()) +
                             " ms and was killed");
  }
  return {.status = *status,
          .out = is_captured(options.out) ? child.captured_out() : std::string(),
          .err = is_captured(options.err) ? child.captured_err() : std::string()};
}

}  // namespace hypeman::tests
