#include "fs/daemon/monitor.hpp"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "base/unique_fd.hpp"
#include "fs/sandbox/privileges.hpp"

namespace hypeman::fs {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) {
    ::sigaddset(&set, signal);
  }
  return set;
}

void notify(const std::string& state) {
  // Where no service manager has asked for it, this does nothing.
  ::sd_notify(/*unset_environment=*/0, state.c_str());
}

/// A child that exits with success once the file system at `mountpoint` has answered a question.
/// Not asked here: a keeper that waits for its worker's answer could not be stopped.
pid_t ask(const std::string& mountpoint) {
  const auto child = ::fork();
  if (child == 0) {
    // Another file system answers in its place only where somebody has unmounted it already.
    struct statfs status {};
    ::_exit(::statfs(mountpoint.c_str(), &status) == 0 ? EX_OK : EX_UNAVAILABLE);
  }
  return child;
}

/// All that unmounting takes. Its capability to pass directories that are closed to it, the keeper
/// needs only where the mountpoint lies behind one.
tl::expected<void, std::string> keep_power_to_unmount(const Mount& mount) {
  constexpr std::array all{cap_value_t{CAP_SYS_ADMIN}, cap_value_t{CAP_DAC_READ_SEARCH}};
  constexpr std::array usual{all.front()};
  return keep_capabilities(all, usual).and_then([&] {
    return mount.within_reach() ? keep_capabilities(usual, usual) : keep_capabilities(all, all);
  });
}

class Keeper {
 public:
  Keeper(Mount mount, UniqueFd lifeline, Startup startup, std::shared_ptr<spdlog::logger> logger)
      : mountpoint_{mount.mountpoint()},
        mount_{std::move(mount)},
        lifeline_{std::move(lifeline)},
        startup_{std::move(startup)},
        logger_{std::move(logger)} {}

  int run(pid_t worker) {
    // Where something cannot be given up, the worker has logged it.
    static_cast<void>(forbid_new_privileges());
    if (const auto kept = keep_power_to_unmount(mount_); !kept) {
      logger_->warn("{}", kept.error());
    }
    const auto question = ask(mountpoint_);
    const auto signals = set_of({SIGINT, SIGTERM, SIGCHLD});
    std::optional<int> worker_status;
    while (!worker_status) {
      const int signal = ::sigwaitinfo(&signals, nullptr);
      if (signal == SIGCHLD) {
        worker_status = reap(worker, question);
      } else if (signal > 0) {
        asked_to_end_ = true;
        end();
      }
    }
    end();
    return exit_status(*worker_status);
  }

 private:
  /// Looks at the children that have ended; gives the worker's wait status if it is among them.
  std::optional<int> reap(pid_t worker, pid_t question) {
    std::optional<int> worker_status;
    int status = 0;
    for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child == worker) {
        worker_status = status;
      } else if (child == question) {
        status == EX_OK ? succeed() : end();
      }
    }
    return worker_status;
  }

  void succeed() {
    started_ = true;
    notify("READY=1\nSTATUS=Mounted at " + mountpoint_);
    startup_.succeed();
  }

  /// Unmounts, and has the worker end when it has answered what it has begun.
  void end() {
    if (lifeline_) {
      notify("STOPPING=1\nSTATUS=Unmounting");
      mount_.unmount();
      lifeline_ = {};
    }
  }

  [[nodiscard]] int exit_status(int worker_status) const {
    if (WIFSIGNALED(worker_status)) {
      const int signal = WTERMSIG(worker_status);
      const auto problem = "the process that serves was ended by signal " + std::to_string(signal) +
                           " (" + ::strsignal(signal) + "); unmounted, start it again";
      if (!started_) {
        return fail(EX_SOFTWARE, problem);
      }
      logger_->error("{}", problem);
      return EX_SOFTWARE;
    }
    const int status = WEXITSTATUS(worker_status);
    if (status == EX_OK && !started_ && !asked_to_end_) {
      return fail(EX_UNAVAILABLE,
                  mountpoint_ + ": mounted, but it does not answer; start it again");
    }
    return status;
  }

  const std::string mountpoint_;
  Mount mount_;
  UniqueFd lifeline_;
  Startup startup_;
  std::shared_ptr<spdlog::logger> logger_;
  bool started_ = false;
  bool asked_to_end_ = false;
};

}  // namespace

void block_signals() {
  const auto signals = set_of({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

int keep(Mount mount, std::unique_ptr<Worker> worker, Startup startup,
         const std::shared_ptr<spdlog::logger>& logger) {
  const auto child_ended = set_of({SIGCHLD});
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // a parent that ignored it has left that to us

  // The worker notices its keeper's end by a pipe: a parent-death signal is not delivered from a
  // keeper that may not send signals to another user's process.
  std::array<int, 2> ends{};
  if (::chdir("/") != 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(EX_OSERR,
                std::string{"cannot start the process that serves: "} + ::strerror(errno));
  }
  UniqueFd keeper{ends[0]};
  UniqueFd lifeline{ends[1]};
  const auto child = ::fork();
  if (child < 0) {
    return fail(EX_OSERR,
                std::string{"cannot start the process that serves: "} + ::strerror(errno));
  }
  if (child == 0) {
    lifeline = {};
    return worker->run(mount.leave_to_keeper(), std::move(keeper), std::move(startup));
  }
  keeper = {};
  worker = {};
  mount.close_device();
  return Keeper{std::move(mount), std::move(lifeline), std::move(startup), logger}.run(child);
}

}  // namespace hypeman::fs
