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

/// The result of reading a file: its content, or the errno of the call that failed.
struct ReadResult {
  int error = 0;
  std::string text;

  friend bool operator==(const ReadResult&, const ReadResult&) = default;
};

/// Opens a file and reads it to its end, like cat.
[[nodiscard]] ReadResult read_file(const std::filesystem::path& path);

/// The names in a directory, sorted. Throws std::filesystem::filesystem_error.
[[nodiscard]] std::vector<std::string> list(const std::filesystem::path& directory);

/// Whether a FUSE file system is mounted at the path and answers.
[[nodiscard]] bool is_mounted(const std::filesystem::path& path);

/// The PID of the worker process of the daemon whose monitor process is `keeper`.
[[nodiscard]] pid_t worker_of(pid_t keeper);

/// A running hypeman-statsfs for a data directory. The destructor stops it. The test fails if it
/// does not end cleanly, if its mount remains, or if a sanitizer has reported an error.
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
  /// The IDs in the root directory, sorted. Throws if another entry is missing.
  [[nodiscard]] std::vector<std::string> instances() const;
  /// Reads `<id>/<file>`.
  [[nodiscard]] ReadResult read(std::string_view id, std::string_view file) const;
  /// The text of a statistic that is a number. Throws if it cannot be read.
  [[nodiscard]] std::string value(std::string_view id, std::string_view file) const;
  [[nodiscard]] unsigned long long number(std::string_view id, std::string_view file) const;

  [[nodiscard]] ChildProcess& daemon() { return daemon_; }
  [[nodiscard]] pid_t worker_pid() const { return worker_of(daemon_.pid()); }
  [[nodiscard]] std::string log() const { return daemon_.captured_err(); }

  /// Sends SIGTERM. Returns the exit status if the daemon ends within 10 seconds.
  std::optional<ExitStatus> stop();
  /// Mounts again at the same mountpoint.
  void start();

 private:
  void await_mount() const;

  TemporaryDirectory mountpoint_;
  std::vector<std::string> arguments_;
  ChildProcess daemon_;
};

}  // namespace hypeman::tests
