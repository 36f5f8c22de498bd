#pragma once

#include <string>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// Answers the kernel's requests from `device`, a descriptor of /dev/fuse, in two threads. Returns
/// when the mount is gone, or when `shutdown` is readable or its other end is closed. By then all
/// received requests are answered, the threads are joined and the device is closed. The process
/// must not fork after this call. The error is one line.
[[nodiscard]] tl::expected<void, std::string> run_request_loop(UniqueFd device, int shutdown,
                                                               Tree& tree);

}  // namespace hypeman::fs
