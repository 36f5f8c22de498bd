#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "collector/instances/host.hpp"
#include "fs/daemon/daemonize.hpp"
#include "fs/sandbox/seccomp.hpp"
#include "fs/sandbox/user.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// The process that answers the kernel's requests, in a sandbox: before it looks at the first one
/// it has given up everything that it does not need for that.
class Worker {
 public:
  Worker(collector::Host host, Access access, User user, LogTarget log)
      : host_{std::move(host)}, access_{access}, user_{std::move(user)}, log_{log} {}

  /// Serves the mount behind `device` until that ends, or until `keeper`, a pipe, is closed at its
  /// other end. Gives the exit status; the reason of a failure has been told.
  [[nodiscard]] int run(UniqueFd device, UniqueFd keeper, Startup startup);

 private:
  [[nodiscard]] tl::expected<void, std::string> enter_sandbox() const;
  [[nodiscard]] tl::expected<void, std::string> check_sight() const;

  collector::Host host_;
  Access access_;
  User user_;
  LogTarget log_;
};

}  // namespace hypeman::fs
