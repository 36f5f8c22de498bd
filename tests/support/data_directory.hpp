#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// What Hypeman writes about an instance. The defaults are a stopped VM in the form of older
/// versions: no start time, no boot ID.
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
  std::string created_at = "2026-01-02T03:04:05.678901234Z";
  std::optional<std::string> pending_delete_at = {};
};

/// As Hypeman formats it: one flat object, 2-space indent, no trailing newline, and keys that are
/// none of our business, secrets among them.
[[nodiscard]] std::string metadata_json(const InstanceRecord& record);

/// A secret that metadata_json() puts into the file and nobody may ever show.
inline constexpr std::string_view secret = "s3cr3t-value";

/// A data directory shaped like Hypeman's, removed with its owner.
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

  /// As newer versions write: beside it, then renamed. Makes the instance's directory.
  void write(const InstanceRecord& record) const;
  /// Any content, the same way.
  void write_text(std::string_view id, std::string_view text) const;
  /// As older versions write: truncated and written in place.
  void write_in_place(std::string_view id, std::string_view text) const;
  void remove(std::string_view id) const;

 private:
  TemporaryDirectory directory_;
};

/// Starts a stand-in with `socket_path` on its command line, as Cloud Hypervisor has it.
[[nodiscard]] ChildProcess start_stand_in(const std::string& socket_path, bool busy = false);

/// Field 22 of /proc/<pid>/stat.
[[nodiscard]] std::uint64_t start_time_ticks(pid_t pid);

/// Fields 14 + 15 of /proc/<pid>/stat.
[[nodiscard]] std::uint64_t cpu_ticks(pid_t pid);

[[nodiscard]] std::string current_boot_id();

/// The record of an instance that runs as `pid`, with everything that newer versions record.
[[nodiscard]] InstanceRecord running_record(std::string_view id, pid_t pid,
                                            const std::string& socket_path);

}  // namespace hypeman::tests
