#include "fs/daemon/daemonize.hpp"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <system_error>

#include <sysexits.h>

namespace hypeman::fs {
namespace {

tl::unexpected<std::string> cannot_daemonize() {
  return tl::unexpected{
      "cannot start in the background: " + std::generic_category().message(errno) +
      "; use -f to stay in the foreground"};
}

/// Waits until the daemon has started or exited. Returns the exit status for the parent.
int wait_for_start(pid_t daemon, const UniqueFd& pipe) {
  char byte = 0;
  ssize_t length = 0;
  do {
    length = ::read(pipe.get(), &byte, 1);
  } while (length < 0 && errno == EINTR);
  if (length == 1) {
    return EX_OK;
  }
  int status = 0;
  while ((length = ::waitpid(daemon, &status, 0)) < 0 && errno == EINTR) {
  }
  if (length != daemon || !WIFEXITED(status)) {
    return EX_SOFTWARE;
  }
  // The daemon was stopped before it had started. That is a success only for the daemon.
  return WEXITSTATUS(status) == EX_OK ? EX_UNAVAILABLE : WEXITSTATUS(status);
}

}  // namespace

int fail(int status, const std::string& message) {
  std::cerr << "hypeman-statsfs: " << message << '\n';
  return status;
}

void ParentConnection::redirect_standard_streams() {
  if (null_device_) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(null_device_.get(), stream);
    }
  }
  null_device_ = {};
}

void ParentConnection::notify_started() {
  redirect_standard_streams();
  if (pipe_) {
    // This fails only if the parent no longer waits.
    static_cast<void>(::write(pipe_.get(), "", 1) == 1);
  }
  pipe_ = {};
}

tl::expected<std::variant<ParentConnection, int>, std::string> daemonize() {
  UniqueFd null_device{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  std::array<int, 2> ends{};
  if (!null_device || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return cannot_daemonize();
  }
  const UniqueFd read_end{ends[0]};
  UniqueFd write_end{ends[1]};
  const auto daemon = ::fork();
  if (daemon < 0) {
    return cannot_daemonize();
  }
  if (daemon > 0) {
    write_end = {};
    return wait_for_start(daemon, read_end);
  }
  ::setsid();
  return ParentConnection{std::move(null_device), std::move(write_end)};
}

}  // namespace hypeman::fs
