#pragma once

#include <string>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// Answers the kernel's requests that come through `device`, a descriptor of /dev/fuse, until the
/// mount is gone or `end` becomes readable or is hung up; ends with what was begun answered, all
/// threads joined and the device closed. After any fork: the threads start here. The error is one
/// line.
[[nodiscard]] tl::expected<void, std::string> serve(UniqueFd device, int end, Tree& tree);

}  // namespace hypeman::fs
