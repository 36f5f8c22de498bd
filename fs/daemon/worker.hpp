#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "collector/instances/host.hpp"
#include "fs/daemon/daemonize.hpp"
#include "fs/fuse/transport.hpp"
#include "fs/sandbox/seccomp.hpp"
#include "fs/sandbox/user.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// The worker process: answers the kernel's FUSE requests in a sandbox. It drops the privileges
/// that it does not need before it reads the first request.
class Worker {
 public:
  Worker(collector::Host host, Access access, User user, LogTarget log, TransportChoice transport)
      : host_{std::move(host)},
        access_{access},
        user_{std::move(user)},
        log_{log},
        transport_{transport} {}

  /// Answers the requests from `device` (/dev/fuse) until the mount is gone, or until the monitor
  /// closes its end of `monitor_pipe`. Writes a byte to `ready` when the mount answers. Then ends
  /// the process. Returns an exit status only if it cannot start. Failures have been reported by
  /// then.
  [[nodiscard]] int run(UniqueFd device, UniqueFd monitor_pipe, UniqueFd ready,
                        ParentConnection parent);

 private:
  [[nodiscard]] tl::expected<void, std::string> drop_privileges(bool uses_rings) const;
  [[nodiscard]] tl::expected<void, std::string> check_access() const;

  collector::Host host_;
  Access access_;
  User user_;
  LogTarget log_;
  TransportChoice transport_;
};

}  // namespace hypeman::fs
