#include "tests/support/system_call_trace.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGTERM

#include <algorithm>
#include <chrono>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

/// Whether a tracer is attached to every thread of the process.
bool is_traced(pid_t pid) {
  const auto tasks = list("/proc/" + std::to_string(pid) + "/task");
  return std::ranges::all_of(tasks, [&](const std::string& task) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/task/" + task + "/status"};
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("TracerPid:")) {
        return line != "TracerPid:\t0";
      }
    }
    return false;
  });
}

}  // namespace

SystemCallTrace::SystemCallTrace(pid_t pid, const std::string& calls,
                                 std::chrono::microseconds delay)
    : strace_{ChildProcess::spawn(
          {"strace", "-f", "-y", "-qq", "-o", path(), "-e", "trace=" + calls, "-e",
           "inject=" + calls + ":delay_enter=" + std::to_string(delay.count()), "-p",
           std::to_string(pid)})} {
  EXPECT_TRUE(eventually([&] { return is_traced(pid); }));
}

const std::vector<std::string>& SystemCallTrace::lines() {
  if (!stopped_) {
    strace_.send_signal(SIGTERM);
    EXPECT_TRUE(strace_.wait(std::chrono::seconds{10}));
    stopped_ = true;
    std::ifstream file{path()};
    for (std::string line; std::getline(file, line);) {
      lines_.push_back(line);
    }
  }
  return lines_;
}

}  // namespace hypeman::tests
