#include "tests/support/stranger.hpp"

#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>

#include "tests/support/errors.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {

Stranger::Stranger(pid_t pid) : pid_{pid} {
  const std::string program{paths::stand_in};
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid_);
  arguments.set_tid_size = 1;
  const auto child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child < 0) {
    throw errno_error("clone3 with PID " + std::to_string(pid));
  }
  if (child == 0) {
    ::execl(program.c_str(), "stand_in", "--busy", nullptr);
    ::_exit(127);
  }
}

Stranger::~Stranger() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace hypeman::tests
