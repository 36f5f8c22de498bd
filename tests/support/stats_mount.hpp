#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// What a reader of a file got: its content, or errno of the call that failed.
struct ReadResult {
  int error = 0;
  std::string text;

  friend bool operator==(const ReadResult&, const ReadResult&) = default;
};

/// Opens and reads a file to its end, as cat does.
[[nodiscard]] ReadResult read_file(const std::filesystem::path& path);

/// The names in a directory, sorted; throws std::filesystem::filesystem_error.
[[nodiscard]] std::vector<std::string> list(const std::filesystem::path& directory);

/// Whether a FUSE file system that answers is mounted there.
[[nodiscard]] bool is_mounted(const std::filesystem::path& path);

/// The process that serves the mount which the daemon `keeper` keeps.
[[nodiscard]] pid_t worker_of(pid_t keeper);

/// A running hypeman-statsfs over a data directory. The destructor stops it and fails the test if
/// it does not end cleanly, if its mount stays, or if a sanitizer has complained.
class StatsMount {
 public:
  explicit StatsMount(const std::filesystem::path& data_directory,
                      const std::vector<std::string>& options = {});
  StatsMount(const StatsMount&) = delete;
  StatsMount& operator=(const StatsMount&) = delete;
  StatsMount(StatsMount&&) = delete;
  StatsMount& operator=(StatsMount&&) = delete;
  ~StatsMount();

  [[nodiscard]] const std::filesystem::path& path() const { return mountpoint_.path(); }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path() / name;
  }
  /// The IDs that a listing of the root shows, sorted; throws if anything else is missing from it.
  [[nodiscard]] std::vector<std::string> instances() const;
  /// Reads `<id>/<file>`.
  [[nodiscard]] ReadResult read(std::string_view id, std::string_view file) const;
  /// A field that is a number, in its text; throws if it cannot be read.
  [[nodiscard]] std::string value(std::string_view id, std::string_view file) const;
  [[nodiscard]] unsigned long long number(std::string_view id, std::string_view file) const;

  [[nodiscard]] ChildProcess& daemon() { return daemon_; }
  [[nodiscard]] pid_t worker_pid() const { return worker_of(daemon_.pid()); }
  [[nodiscard]] std::string log() const { return daemon_.captured_err(); }

  /// SIGTERM; the exit status within 10 seconds.
  std::optional<ExitStatus> stop();
  /// Mounts again, in the same place.
  void start();

 private:
  void await_mount() const;

  TemporaryDirectory mountpoint_;
  std::vector<std::string> arguments_;
  ChildProcess daemon_;
};

}  // namespace hypeman::tests
