#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

struct ExitStatus {
  int code = -1;   ///< exit code; -1 when a signal ended the process
  int signal = 0;  ///< the signal that ended the process; 0 when it exited

  [[nodiscard]] bool success() const { return code == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// Where a stream of a child goes. A captured stream goes to a memory file, not to a pipe, so that
/// a child never blocks on a reader that is busy waiting for that very child.
struct Inherit {};
struct Discard {};
struct Capture {};
using Output = std::variant<Capture, Inherit, Discard, std::filesystem::path>;

struct SpawnOptions {
  std::optional<uid_t> uid;  ///< also drops every supplementary group
  std::optional<gid_t> gid;
  std::map<std::string, std::string> environment;  ///< added to what the parent has
  std::filesystem::path working_directory;         ///< empty: the parent's
  Output out = Capture{};
  Output err = Capture{};
};

/// User and group "nobody": someone who may only do what everybody may.
[[nodiscard]] SpawnOptions as_unprivileged_user();

/// A process that does not outlive its owner: the destructor kills it and reaps it, and the kernel
/// sends it SIGTERM if the thread that spawned it dies first.
class ChildProcess {
 public:
  /// `argv[0]` is looked up in PATH. Standard input is /dev/null. Throws when the program does not
  /// start.
  [[nodiscard]] static ChildProcess spawn(const std::vector<std::string>& argv,
                                          const SpawnOptions& options = {});

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Does nothing once the process has been waited for.
  void send_signal(int signal) const;

  /// The exit status, or nothing if the process still runs when the time is up. May be asked again.
  std::optional<ExitStatus> wait(std::chrono::milliseconds timeout);

  /// What the child has written to a captured stream so far.
  [[nodiscard]] std::string captured_out() const;
  [[nodiscard]] std::string captured_err() const;

 private:
  ChildProcess() = default;
  void kill_and_reap() noexcept;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd out_;
  UniqueFd err_;
  std::optional<ExitStatus> status_;
};

struct CommandResult {
  ExitStatus status;
  std::string out;
  std::string err;
};

/// Runs a command to its end. Throws, after killing it, when it takes longer than `timeout`.
[[nodiscard]] CommandResult run(const std::vector<std::string>& argv,
                                const SpawnOptions& options = {},
                                std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace hypeman::tests
