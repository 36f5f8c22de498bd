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

/// The real program as a child process; its standard error goes to a file. A child that still runs
/// at the end is stopped with SIGTERM, and the test fails unless it then exits with 0.
class BridgeProcess {
 public:
  /// Starts it; `activated`, if given, is passed to it as systemd passes a listening socket.
  explicit BridgeProcess(const std::vector<std::string>& arguments, UniqueFd activated = {});
  ~BridgeProcess();
  BridgeProcess(const BridgeProcess&) = delete;
  BridgeProcess& operator=(const BridgeProcess&) = delete;
  BridgeProcess(BridgeProcess&&) = delete;
  BridgeProcess& operator=(BridgeProcess&&) = delete;

  /// Where it listens, by its log; waits until it does. Fails the test and returns "" if it ends.
  [[nodiscard]] std::string address(std::size_t which = 0);

  void signal(int number) const;

  /// Waits for the end; the exit status, or 128 + the signal that killed it.
  int wait();

  /// Whether the log comes to hold `text` within ten seconds.
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
