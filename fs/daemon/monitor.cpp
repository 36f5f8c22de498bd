#include "fs/daemon/monitor.hpp"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/types.h>
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

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) {
    ::sigaddset(&set, signal);
  }
  return set;
}

void notify_service_manager(const std::string& state) {
  // Does nothing if no service manager has set NOTIFY_SOCKET.
  ::sd_notify(/*unset_environment=*/0, state.c_str());
}

/// Forks a child that exits with success when the file system at `mountpoint` answers a request.
/// The monitor does not send the request itself, because it could not handle signals while it waits
/// for the answer.
pid_t fork_readiness_probe(const std::string& mountpoint) {
  const auto child = ::fork();
  if (child == 0) {
    // If somebody has already unmounted, the file system that was hidden by the mount answers. Then
    // the worker ends too.
    struct statfs status {};
    ::_exit(::statfs(mountpoint.c_str(), &status) == 0 ? EX_OK : EX_UNAVAILABLE);
  }
  return child;
}

/// Keeps the capabilities that unmounting needs. CAP_DAC_READ_SEARCH is needed only if a directory
/// above the mountpoint cannot be searched without it.
tl::expected<void, std::string> keep_unmount_capabilities(const Mount& mount) {
  constexpr std::array all{cap_value_t{CAP_SYS_ADMIN}, cap_value_t{CAP_DAC_READ_SEARCH}};
  constexpr std::array usual{all.front()};
  return keep_capabilities(all, usual).and_then([&] {
    return mount.is_reachable() ? keep_capabilities(usual, usual) : keep_capabilities(all, all);
  });
}

class Monitor {
 public:
  Monitor(Mount mount, UniqueFd worker_pipe, ParentConnection parent,
          std::shared_ptr<spdlog::logger> logger)
      : mountpoint_{mount.mountpoint()},
        mount_{std::move(mount)},
        worker_pipe_{std::move(worker_pipe)},
        parent_{std::move(parent)},
        logger_{std::move(logger)} {}

  int run(pid_t worker) {
    // The worker calls this too, and logs the error.
    static_cast<void>(forbid_new_privileges());
    if (const auto kept = keep_unmount_capabilities(mount_); !kept) {
      logger_->warn("{}", kept.error());
    }
    const auto probe = fork_readiness_probe(mountpoint_);
    const auto signals = signal_set({SIGINT, SIGTERM, SIGCHLD});
    std::optional<int> worker_status;
    while (!worker_status) {
      const int signal = ::sigwaitinfo(&signals, nullptr);
      if (signal == SIGCHLD) {
        worker_status = reap_children(worker, probe);
      } else if (signal > 0) {
        signal_received_ = true;
        shut_down();
      }
    }
    shut_down();
    return exit_status(*worker_status);
  }

 private:
  /// Reaps the children that have ended. Returns the worker's wait status if it is one of them.
  std::optional<int> reap_children(pid_t worker, pid_t probe) {
    std::optional<int> worker_status;
    int status = 0;
    for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child == worker) {
        worker_status = status;
      } else if (child == probe) {
        status == EX_OK ? notify_ready() : shut_down();
      }
    }
    return worker_status;
  }

  void notify_ready() {
    ready_ = true;
    notify_service_manager("READY=1\nSTATUS=Mounted at " + mountpoint_);
    parent_.notify_started();
  }

  /// Unmounts and stops the worker. The worker first answers the requests that it has received.
  void shut_down() {
    if (worker_pipe_) {
      notify_service_manager("STOPPING=1\nSTATUS=Unmounting");
      mount_.unmount();
      worker_pipe_ = {};
    }
  }

  [[nodiscard]] int exit_status(int worker_status) const {
    if (WIFSIGNALED(worker_status)) {
      const int signal = WTERMSIG(worker_status);
      const auto message = mountpoint_ + ": unmounted because signal " + std::to_string(signal) +
                           " (" + ::strsignal(signal) +
                           ") ended the worker process; start hypeman-statsfs again";
      if (!ready_) {
        return fail(EX_SOFTWARE, message);
      }
      logger_->error("{}", message);
      return EX_SOFTWARE;
    }
    const int status = WEXITSTATUS(worker_status);
    if (status == EX_OK && !ready_ && !signal_received_) {
      return fail(EX_UNAVAILABLE, mountpoint_ +
                                      ": the file system does not answer after mounting; "
                                      "start hypeman-statsfs again");
    }
    return status;
  }

  const std::string mountpoint_;
  Mount mount_;
  UniqueFd worker_pipe_;  // the worker ends when this is closed
  ParentConnection parent_;
  std::shared_ptr<spdlog::logger> logger_;
  bool ready_ = false;
  bool signal_received_ = false;
};

int cannot_start_worker() {
  return fail(EX_OSERR, std::string{"cannot start the worker process: "} + ::strerror(errno) +
                            "; check the limits on processes and open files");
}

}  // namespace

void block_signals() {
  const auto signals = signal_set({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

int run_monitor(Mount mount, std::unique_ptr<Worker> worker, ParentConnection parent,
                const std::shared_ptr<spdlog::logger>& logger) {
  const auto child_ended = signal_set({SIGCHLD});
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  // The caller may have ignored SIGCHLD, and children inherit that. Then the kernel would discard
  // the exit status of the worker.
  ::signal(SIGCHLD, SIG_DFL);

  // The worker detects the end of the monitor with a pipe. A parent-death signal does not work:
  // the monitor has no permission to send signals to a process of another user.
  std::array<int, 2> ends{};
  if (::chdir("/") != 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return cannot_start_worker();
  }
  UniqueFd read_end{ends[0]};
  UniqueFd write_end{ends[1]};
  const auto child = ::fork();
  if (child < 0) {
    return cannot_start_worker();
  }
  if (child == 0) {
    write_end = {};
    return worker->run(mount.release_device(), std::move(read_end), std::move(parent));
  }
  read_end = {};
  worker = {};
  mount.close_device();
  return Monitor{std::move(mount), std::move(write_end), std::move(parent), logger}.run(child);
}

}  // namespace hypeman::fs
