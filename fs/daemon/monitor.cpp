#include "fs/daemon/monitor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "base/end_process.hpp"
#include "base/logging.hpp"
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
  /// The ends of the pipes between the two processes.
  struct Pipes {
    UniqueFd worker;   // the worker ends when this is closed
    UniqueFd ready;    // the worker writes a byte when the mount answers
    UniqueFd signals;  // the signals of this process
  };

  Monitor(Mount mount, Pipes pipes, ParentConnection parent, std::shared_ptr<spdlog::logger> logger)
      : mountpoint_{mount.mountpoint()},
        mount_{std::move(mount)},
        pipes_{std::move(pipes)},
        parent_{std::move(parent)},
        logger_{std::move(logger)} {}

  int run(pid_t worker) {
    // The worker calls this too, and logs the error.
    static_cast<void>(forbid_new_privileges());
    if (const auto kept = keep_unmount_capabilities(mount_); !kept) {
      logger_->warn("{}", kept.error());
    }
    std::optional<int> worker_status;
    while (!worker_status) {
      std::array<pollfd, 2> events{{{.fd = pipes_.ready.get(), .events = POLLIN, .revents = 0},
                                    {.fd = pipes_.signals.get(), .events = POLLIN, .revents = 0}}};
      if (::poll(events.data(), events.size(), milliseconds_left()) == 0) {
        return give_up(worker);
      }
      if (events.front().revents != 0) {
        receive_readiness();
      }
      if (events.back().revents != 0) {
        worker_status = receive_signal(worker);
      }
    }
    if (pipes_.ready) {
      // poll(2) looks at one descriptor after the other, so it can miss the byte of a worker that
      // has answered and ended meanwhile. This does not wait: the worker's end is closed.
      receive_readiness();
    }
    // The worker has ended by itself, for example because the FUSE connection was closed. After an
    // abort of the connection, the mount is still there. After an unmount by somebody else, it is
    // not, and another daemon may already have mounted.
    const bool aborted = !is_shutting_down() && mount_.is_dead();
    if (!is_shutting_down() && !aborted) {
      mount_.forget();
    }
    shut_down();
    return exit_status(*worker_status, aborted);
  }

 private:
  /// How long to wait for the worker. Includes the time in which the worker answers requests.
  static constexpr std::chrono::seconds worker_timeout{4};

  [[nodiscard]] bool is_shutting_down() const { return deadline_.has_value(); }

  /// The timeout for poll(2).
  [[nodiscard]] int milliseconds_left() const {
    if (!deadline_) {
      return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max(left, std::chrono::milliseconds{0}).count());
  }

  void receive_readiness() {
    char byte = 0;
    if (::read(pipes_.ready.get(), &byte, 1) == 1 && !is_shutting_down()) {
      ready_ = true;
      notify_service_manager("READY=1\nSTATUS=Mounted at " + mountpoint_);
      parent_.notify_started();
    }
    pipes_.ready = {};
  }

  /// Handles a signal. Returns the worker's wait status if it has ended.
  std::optional<int> receive_signal(pid_t worker) {
    signalfd_siginfo signal{};
    if (::read(pipes_.signals.get(), &signal, sizeof signal) != sizeof signal) {
      return std::nullopt;
    }
    if (signal.ssi_signo != SIGCHLD) {
      signal_received_ = true;
      shut_down();
    }
    int status = 0;
    return ::waitpid(worker, &status, WNOHANG) == worker ? std::optional{status} : std::nullopt;
  }

  /// Unmounts and stops the worker. The worker first answers the requests that it has received.
  void shut_down() {
    if (!is_shutting_down()) {
      deadline_ = std::chrono::steady_clock::now() + worker_timeout;
      notify_service_manager("STOPPING=1\nSTATUS=Unmounting");
      mount_.unmount();
      pipes_.worker = {};
    }
  }

  /// The worker does not end. That happens only if it hangs in a system call.
  int give_up(pid_t worker) {
    ::kill(worker, SIGKILL);  // permitted only if the worker runs as the same user
    return report(mountpoint_ + ": unmounted, but the worker process " + std::to_string(worker) +
                  " does not end, because a read of it hangs in the kernel; "
                  "it ends when the read does");
  }

  /// Reports that the daemon has failed. Returns the exit status.
  [[nodiscard]] int report(const std::string& message) const {
    if (!ready_) {
      return fail(EX_SOFTWARE, message);
    }
    logger_->error("{}", message);
    return EX_SOFTWARE;
  }

  [[nodiscard]] int exit_status(int worker_status, bool aborted) const {
    if (WIFSIGNALED(worker_status)) {
      const int signal = WTERMSIG(worker_status);
      return report(mountpoint_ + ": unmounted because signal " + std::to_string(signal) + " (" +
                    ::strsignal(signal) +
                    ") ended the worker process; start hypeman-statsfs again");
    }
    const int status = WEXITSTATUS(worker_status);
    if (status == EX_OK && !ready_ && !signal_received_) {
      return fail(EX_UNAVAILABLE, mountpoint_ +
                                      ": the file system does not answer after mounting; "
                                      "start hypeman-statsfs again");
    }
    if (status == EX_OK && aborted) {
      return report(mountpoint_ +
                    ": unmounted because the FUSE connection was aborted; "
                    "start hypeman-statsfs again");
    }
    return status;
  }

  const std::string mountpoint_;
  Mount mount_;
  Pipes pipes_;
  ParentConnection parent_;
  std::shared_ptr<spdlog::logger> logger_;
  bool ready_ = false;
  bool signal_received_ = false;
  std::optional<std::chrono::steady_clock::time_point> deadline_;  // set by shut_down()
};

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  return Pipe{.read_end = UniqueFd{ends[0]}, .write_end = UniqueFd{ends[1]}};
}

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
  const auto signals = signal_set({SIGINT, SIGTERM, SIGCHLD});
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd signal_fd{::signalfd(-1, &signals, SFD_CLOEXEC)};

  // The worker detects the end of the monitor with a pipe. A parent-death signal does not work:
  // the monitor has no permission to send signals to a process of another user.
  auto stop = make_pipe();
  auto ready = make_pipe();
  if (::chdir("/") != 0 || !signal_fd || !stop || !ready) {
    return cannot_start_worker();
  }
  const auto child = ::fork();
  if (child < 0) {
    return cannot_start_worker();
  }
  if (child == 0) {
    signal_fd = {};
    stop->write_end = {};
    ready->read_end = {};
    return worker->run(mount.release_device(), std::move(stop->read_end),
                       std::move(ready->write_end), std::move(parent));
  }
  stop->read_end = {};
  ready->write_end = {};
  worker = {};
  mount.close_device();
  const auto log = queueing_logger(*logger);
  const int status = Monitor{std::move(mount),
                             {.worker = std::move(stop->write_end),
                              .ready = std::move(ready->read_end),
                              .signals = std::move(signal_fd)},
                             std::move(parent),
                             log}
                         .run(child);
  // Exit handlers would wait for a thread that hangs in a write to the log.
  end_process(status, *log);
}

}  // namespace hypeman::fs
