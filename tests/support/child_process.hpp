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
  int code = -1;   ///< exit code; -1 if a signal ended the process
  int signal = 0;  ///< the signal that ended the process; 0 if it exited

  [[nodiscard]] bool success() const { return code == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// The target of a stream of a child. A captured stream goes to a memory file, not to a pipe. So
/// the child never blocks while the test waits for it.
struct Inherit {};
struct Discard {};
struct Capture {};
using Output = std::variant<Capture, Inherit, Discard, std::filesystem::path>;

struct SpawnOptions {
  std::optional<uid_t> uid;  ///< also drops all supplementary groups
  std::optional<gid_t> gid;
  std::map<std::string, std::string> environment;  ///< added to the parent's environment
  std::filesystem::path working_directory;         ///< empty: the parent's directory
  Output out = Capture{};
  Output err = Capture{};
};

/// Options for the user and the group "nobody", which has no special permissions.
[[nodiscard]] SpawnOptions as_unprivileged_user();

/// A child process. The destructor kills and reaps it. If the thread that started it dies first,
/// the kernel sends it SIGTERM.
class ChildProcess {
 public:
  /// `argv[0]` is looked up in PATH. Standard input is /dev/null. Throws if the program does not
  /// start.
  [[nodiscard]] static ChildProcess spawn(const std::vector<std::string>& argv,
                                          const SpawnOptions& options = {});

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Does nothing if wait() has already returned an exit status.
  void send_signal(int signal) const;

  /// Returns the exit status, or nothing if the process still runs after the timeout. Can be called
  /// again.
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

/// Runs a command and waits for its end. If it takes longer than `timeout`, kills it and throws.
[[nodiscard]] CommandResult run(const std::vector<std::string>& argv,
                                const SpawnOptions& options = {},
                                std::chrono::milliseconds timeout = std::chrono::minutes(2));

}  // namespace hypeman::tests
