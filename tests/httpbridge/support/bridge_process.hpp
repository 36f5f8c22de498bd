#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "tests/httpbridge/support/temporary_directory.hpp"

namespace hypeman::httpbridge::testing {

/// The real program as a child process. Its standard error goes to a file. The destructor stops a
/// running child with SIGTERM. The test then fails if the exit status is not 0.
class BridgeProcess {
 public:
  enum class Rights { of_the_test, only_its_own_files };

  /// Starts the program. Passes `activated`, if given, like systemd passes a listening socket. With
  /// `only_its_own_files`, a program of root lacks the capability to read the files of other users.
  explicit BridgeProcess(const std::vector<std::string>& arguments, UniqueFd activated = {},
                         Rights rights = Rights::of_the_test);
  ~BridgeProcess();
  BridgeProcess(const BridgeProcess&) = delete;
  BridgeProcess& operator=(const BridgeProcess&) = delete;
  BridgeProcess(BridgeProcess&&) = delete;
  BridgeProcess& operator=(BridgeProcess&&) = delete;

  /// The listening address from the log. Waits for it. Fails the test and returns "" if the
  /// program ends.
  [[nodiscard]] std::string address(std::size_t which = 0);

  void signal(int number) const;

  /// Waits for the end. Returns the exit status, or 128 + the signal that killed the program.
  int wait();

  /// Whether `text` appears in the log within ten seconds.
  [[nodiscard]] bool logs(std::string_view text) const;
  [[nodiscard]] std::string log() const;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] std::size_t resident_bytes() const;

 private:
  TemporaryDirectory place_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace hypeman::httpbridge::testing
