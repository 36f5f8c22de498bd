#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// The data that Hypeman writes about an instance. The defaults are a stopped VM of an older
/// version, without a start time and a boot ID.
struct InstanceRecord {
  std::string id;
  std::string name = "my-web-server";
  std::uint64_t size = 4294967296;
  std::uint64_t hotplug_size = 0;
  std::uint64_t vcpus = 2;
  bool network_enabled = false;
  std::optional<pid_t> pid;
  std::optional<std::uint64_t> start_time_ticks;
  std::optional<std::string> boot_id;
  std::string socket_path;
  std::optional<std::string> pending_delete_at = {};
  std::optional<std::string> phase = {};  ///< phases.current; older versions have no phases
};

/// The record in the format of Hypeman: one flat object, indented by 2 spaces, without a newline at
/// the end. It also has keys that the program does not use, some with secrets.
[[nodiscard]] std::string metadata_json(const InstanceRecord& record);

/// A secret that metadata_json() writes. No program may show it.
inline constexpr std::string_view secret = "s3cr3t-value";

/// A data directory with Hypeman's layout. The destructor removes it.
class DataDirectory {
 public:
  DataDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] std::filesystem::path guests() const { return path() / "guests"; }
  [[nodiscard]] std::filesystem::path instance(std::string_view id) const { return guests() / id; }
  [[nodiscard]] std::filesystem::path metadata(std::string_view id) const {
    return instance(id) / "metadata.json";
  }
  [[nodiscard]] std::string socket(std::string_view id) const { return instance(id) / "ch.sock"; }

  /// Writes a new file and renames it, as newer versions do. Creates the instance's directory.
  void write(const InstanceRecord& record) const;
  /// Writes any content in the same way.
  void write_text(std::string_view id, std::string_view text) const;
  /// Truncates the file and writes it in place, as older versions do.
  void write_in_place(std::string_view id, std::string_view text) const;
  void remove(std::string_view id) const;

  [[nodiscard]] std::filesystem::path overlay(std::string_view id) const {
    return instance(id) / "overlay.raw";
  }
  [[nodiscard]] std::filesystem::path snapshot(std::string_view id) const {
    return instance(id) / "snapshots/snapshot-latest";
  }
  /// Creates a writable disk that takes no space yet. Creates the instance's directory.
  void create_overlay(std::string_view id, std::uint64_t size) const;

 private:
  TemporaryDirectory directory_;
};

/// The name that a fork gives an instance's directory for a moment.
[[nodiscard]] std::filesystem::path renamed_by_fork(
    const std::filesystem::path& directory,
    std::chrono::system_clock::time_point when = std::chrono::system_clock::now());

/// Starts a stand-in process with `socket_path` on its command line, like Cloud Hypervisor.
[[nodiscard]] ChildProcess start_stand_in(const std::string& socket_path, bool busy = false);

/// The same with options of the stand-in, which stand before the socket.
[[nodiscard]] ChildProcess start_stand_in_with(std::vector<std::string> options,
                                               const std::string& socket_path);

/// A field of /proc/<pid>/stat of a process whose command name has no blanks.
[[nodiscard]] std::uint64_t stat_field(pid_t pid, int number);

/// Field 22 of /proc/<pid>/stat.
[[nodiscard]] std::uint64_t start_time_ticks(pid_t pid);

/// Fields 14 + 15 of /proc/<pid>/stat.
[[nodiscard]] std::uint64_t cpu_ticks(pid_t pid);

[[nodiscard]] std::string current_boot_id();

/// The record of an instance that runs as `pid`, with all keys of newer versions.
[[nodiscard]] InstanceRecord running_record(std::string_view id, pid_t pid,
                                            const std::string& socket_path);

}  // namespace hypeman::tests
