#pragma once

#include <string>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// Answers the kernel's requests from `device`, a descriptor of /dev/fuse, in two threads. Writes a
/// byte to `ready` when the mount answers. Returns when the mount is gone or the connection is
/// aborted, or when `shutdown` is readable or its other end is closed. By then the received
/// requests are answered, except those that hang in the kernel. Their threads still use `tree`: the
/// process must end with _exit(2) and must not destroy `tree`. The process must not fork after this
/// call. The error is one line.
[[nodiscard]] tl::expected<void, std::string> run_request_loop(UniqueFd device, int shutdown,
                                                               UniqueFd ready, Tree& tree);

}  // namespace hypeman::fs
