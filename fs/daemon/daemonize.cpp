#include "fs/daemon/daemonize.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>

#include <sysexits.h>

namespace hypeman::fs {
namespace {

/// In the process that was called: the exit status, once that of `child` is certain.
int wait_for(pid_t child, const UniqueFd& started) {
  char byte = 0;
  ssize_t length = 0;
  do {
    length = ::read(started.get(), &byte, 1);
  } while (length < 0 && errno == EINTR);
  if (length == 1) {
    return EX_OK;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

}  // namespace

int fail(int status, const std::string& problem) {
  std::cerr << "hypeman-statsfs: " << problem << '\n';
  return status;
}

tl::expected<std::variant<Startup, int>, std::string> Startup::in_background() {
  const std::string problem = "cannot go to the background; use -f";
  UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  std::array<int, 2> ends{};
  if (!null || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return tl::unexpected{problem};
  }
  const UniqueFd started{ends[0]};
  UniqueFd waiting{ends[1]};
  const auto child = ::fork();
  if (child < 0) {
    return tl::unexpected{problem};
  }
  if (child > 0) {
    waiting = {};
    return wait_for(child, started);
  }
  ::setsid();
  return Startup{std::move(null), std::move(waiting)};
}

void Startup::leave_terminal() {
  if (null_) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(null_.get(), stream);
    }
  }
  null_ = {};
}

void Startup::succeed() {
  leave_terminal();
  if (waiting_) {
    // Nobody waits any more where this fails.
    static_cast<void>(::write(waiting_.get(), "", 1) == 1);
  }
  waiting_ = {};
}

}  // namespace hypeman::fs
