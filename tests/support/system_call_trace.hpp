#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// Records system calls of a process and its threads with strace(1).
class SystemCallTrace {
 public:
  /// `calls` are names of system calls, separated by commas. Each of them takes `delay` longer.
  SystemCallTrace(pid_t pid, const std::string& calls, std::chrono::microseconds delay = {});

  /// Detaches when called first. One line for each call so far, with the paths of descriptors.
  [[nodiscard]] const std::vector<std::string>& lines();

 private:
  [[nodiscard]] std::string path() const { return (directory_.path() / "trace").string(); }

  TemporaryDirectory directory_;
  ChildProcess strace_;
  bool stopped_ = false;
  std::vector<std::string> lines_;
};

}  // namespace hypeman::tests
