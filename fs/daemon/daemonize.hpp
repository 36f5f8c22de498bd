#pragma once

#include <string>
#include <utility>
#include <variant>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"

namespace hypeman::fs {

/// Prints the problem, a line, where whoever has started the program sees it; returns the status.
int fail(int status, const std::string& problem);

/// What lies between being called and being at work: in the background, whoever has called waits
/// until the start has succeeded, and sees on the terminal why it has not.
class Startup {
 public:
  /// Nobody waits.
  [[nodiscard]] static Startup in_foreground() { return {}; }

  /// Goes to the background in a session of its own. The caller's process waits there, and gets the
  /// status that it has to exit with. The error is one line.
  [[nodiscard]] static tl::expected<std::variant<Startup, int>, std::string> in_background();

  /// In the background, puts /dev/null in the place of the standard streams.
  void leave_terminal();

  /// Leaves the terminal and lets whoever waits go.
  void succeed();

 private:
  Startup() = default;
  Startup(UniqueFd null, UniqueFd waiting) : null_{std::move(null)}, waiting_{std::move(waiting)} {}

  UniqueFd null_;     // /dev/null, opened while that is still allowed
  UniqueFd waiting_;  // a pipe to the process that waits
};

}  // namespace hypeman::fs
