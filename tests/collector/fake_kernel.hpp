#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// Writes a file in place, so that who holds it open sees the new content. Makes its directories.
void write_over(const std::filesystem::path& path, std::string_view text);

/// Arguments as /proc/<pid>/cmdline has them.
[[nodiscard]] std::string command_line(const std::vector<std::string>& arguments);

/// What a test says about a process; the rest of its files is filled in.
struct FakeProcess {
  pid_t pid = 4711;
  std::string command = "cloud-hyperviso";
  char state = 'S';
  std::uint64_t user_ticks = 2000;
  std::uint64_t system_ticks = 994;
  std::uint64_t start_time_ticks = 123456;
  std::uint64_t size_pages = 1000;
  std::uint64_t resident_pages = 100;
  std::string command_line;
};

/// The text of its /proc/<pid>/stat, with numbers of their own in all fields that nobody needs.
[[nodiscard]] std::string stat_text(const FakeProcess& process);

/// A directory in the shape of /proc.
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
  /// The files of the PID become other files, as those of another process are.
  void replace(const FakeProcess& process) const;
  void remove(pid_t pid) const;

 private:
  TemporaryDirectory directory_;
};

/// A directory in the shape of /sys.
class FakeSys {
 public:
  FakeSys();

  [[nodiscard]] std::string path() const { return directory_.path(); }
  [[nodiscard]] std::filesystem::path statistics(std::string_view interface) const;

  /// Counters as the host sees them, written in place.
  void write(std::string_view interface, std::uint64_t rx_bytes, std::uint64_t tx_bytes) const;
  void remove(std::string_view interface) const;

 private:
  TemporaryDirectory directory_;
};

}  // namespace hypeman::tests
