#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"

namespace hypeman::tests {

/// The first two fields of /proc/<pid>/task/<tid>/schedstat, in nanoseconds.
struct ThreadTimes {
  std::uint64_t run = 0;
  std::uint64_t wait = 0;

  friend bool operator==(const ThreadTimes&, const ThreadTimes&) = default;
};

/// Throws if the thread does not exist.
[[nodiscard]] ThreadTimes thread_times(pid_t pid, pid_t tid);

/// The thread of this name. Nothing if there is none.
[[nodiscard]] std::optional<pid_t> find_thread(pid_t pid, std::string_view name);

/// The thread runs on one CPU from now on, the same one for all threads.
void pin_to_one_cpu(pid_t tid);

/// A stand-in process with threads that have names, like those of a hypervisor. They are idle at
/// first. Each function returns when the kernel shows the change.
class ThreadedStandIn {
 public:
  /// `later` are the names for start_next().
  ThreadedStandIn(const std::string& socket_path, std::vector<std::string> names,
                  std::vector<std::string> later = {});

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] ChildProcess& process() { return process_; }
  /// The ID of a thread. Throws if it does not exist.
  [[nodiscard]] pid_t tid(std::string_view name) const;
  [[nodiscard]] ThreadTimes times(std::string_view name) const;

  /// The thread uses CPU time, until the next call.
  void toggle_busy(std::string_view name) const;
  /// Waits until an idle thread has stopped to use CPU time.
  void await_idle(std::string_view name) const;
  void end(std::string_view name) const;
  void start_next();

 private:
  void await(std::string_view name) const;

  std::vector<std::string> later_;
  ChildProcess process_;
};

}  // namespace hypeman::tests
