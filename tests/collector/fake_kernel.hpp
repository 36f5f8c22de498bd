#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// Writes a file in place, so that open descriptors show the new content. Creates missing
/// directories.
void write_over(const std::filesystem::path& path, std::string_view text);

/// Arguments in the format of /proc/<pid>/cmdline.
[[nodiscard]] std::string command_line(const std::vector<std::string>& arguments);

/// The properties of a process that a test sets. The other fields get default values.
struct FakeProcess {
  pid_t pid = 4711;
  std::string command = "cloud-hyperviso";
  char state = 'S';
  std::uint64_t major_faults = 3;
  std::uint64_t user_ticks = 2000;
  std::uint64_t system_ticks = 994;
  std::uint64_t start_time_ticks = 123456;
  std::uint64_t guest_ticks = 1500;
  std::uint64_t size_pages = 1000;
  std::uint64_t resident_pages = 100;
  uid_t real_user = 0;
  uid_t effective_user = 0;
  std::string command_line;
};

/// A thread of a process, and what the scheduler counts for it.
struct FakeThread {
  pid_t tid = 0;
  std::string name = "worker";
  std::uint64_t start_time_ticks = 123456;
  std::uint64_t guest_ticks = 0;
  std::uint64_t run_nanoseconds = 1;
  std::uint64_t wait_nanoseconds = 0;
};

/// The text of /proc/<pid>/stat. Fields that the program does not use have different numbers.
[[nodiscard]] std::string stat_text(const FakeProcess& process);

/// A directory with the layout of /proc.
class FakeProc {
 public:
  static constexpr std::string_view boot_id = "2f1c9cb8-0c54-4b5c-9a3e-5a1d3f3f0c11";

  FakeProc();

  [[nodiscard]] std::string path() const { return directory_.path(); }
  [[nodiscard]] std::filesystem::path process(pid_t pid) const {
    return directory_.path() / std::to_string(pid);
  }

  /// Writes the files of a process in place.
  void write(const FakeProcess& process) const;
  /// Replaces the files of the PID with new files, as when another process gets the PID.
  void replace(const FakeProcess& process) const;
  void remove(pid_t pid) const;

  /// Writes the files of a thread in place.
  void write_thread(pid_t pid, const FakeThread& thread) const;

 private:
  TemporaryDirectory directory_;
};

/// A directory with the layout of /sys.
class FakeSys {
 public:
  FakeSys();

  [[nodiscard]] std::string path() const { return directory_.path(); }
  [[nodiscard]] std::filesystem::path statistics(std::string_view interface) const;

  /// Writes the counters, from the host's point of view, in place.
  void write(std::string_view interface, std::uint64_t rx_bytes, std::uint64_t tx_bytes) const;
  void remove(std::string_view interface) const;

 private:
  TemporaryDirectory directory_;
};

}  // namespace hypeman::tests
