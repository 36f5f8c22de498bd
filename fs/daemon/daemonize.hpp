#pragma once

#include <string>
#include <utility>
#include <variant>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"

namespace hypeman::fs {

/// Prints an error message, one line, to standard error. Returns `status`, the exit status.
int fail(int status, const std::string& message);

/// The connection from a daemon to its parent, the process that the user started (daemon(7)). The
/// parent exits when the daemon has started, or has failed to start. Until then the daemon prints
/// its errors to the user's terminal. A process in the foreground has no parent to notify: then
/// the functions do nothing.
class ParentConnection {
 public:
  ParentConnection() = default;
  ParentConnection(UniqueFd null_device, UniqueFd pipe)
      : null_device_{std::move(null_device)}, pipe_{std::move(pipe)} {}

  /// Replaces the standard streams with /dev/null.
  void redirect_standard_streams();

  /// Redirects the standard streams. Then tells the parent that the daemon has started.
  void notify_started();

 private:
  UniqueFd null_device_;  // open from the start: a sandboxed process cannot open /dev/null
  UniqueFd pipe_;
};

/// Forks a daemon in a new session. In the daemon, returns at once with the connection to the
/// parent. In the parent, returns the exit status when the daemon has started or failed. The error
/// is one line.
[[nodiscard]] tl::expected<std::variant<ParentConnection, int>, std::string> daemonize();

}  // namespace hypeman::fs
