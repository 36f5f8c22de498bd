#pragma once

#include <memory>
#include <string>

#include <spdlog/logger.h>
#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "fs/fuse/transport.hpp"
#include "fs/ring/rings.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// The rings through which requests may come. Null: the reason why there are none, in one line. It
/// is empty if the user wants none.
using RingsOrReason = tl::expected<std::unique_ptr<Rings>, std::string>;

/// What the request loop serves, and how.
struct RequestSource {
  UniqueFd device;  ///< /dev/fuse
  TransportChoice choice = TransportChoice::automatic;
  RingsOrReason rings;  ///< from make_rings() for the same device
};

/// Answers the kernel's requests in two threads that read them from /dev/fuse, and in those of the
/// rings. Logs which transport is used and why. Writes a byte to `ready` when the mount answers.
/// Returns when the mount is gone or the connection is aborted, or when `shutdown` is readable or
/// its other end is closed. By then the received requests are answered, except those that hang in
/// the kernel. Their threads still use `tree`: the process must end with _exit(2) and must not
/// destroy `tree`. The process must not fork after this call. The error is one line.
[[nodiscard]] tl::expected<void, std::string> run_request_loop(RequestSource source, int shutdown,
                                                               UniqueFd ready, Tree& tree,
                                                               spdlog::logger& logger);

}  // namespace hypeman::fs
