#pragma once

#include <string>

#include <tl/expected.hpp>

#include "fs/mount.hpp"
#include "fs/tree.hpp"

namespace hypeman::fs {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE in this thread and those that it will start: from
/// then on only serve() takes notice of the first two, and nobody of the others.
void block_signals();

/// Answers the kernel's requests to a mount until SIGINT, SIGTERM or an unmount from outside; ends
/// with the mount unmounted and all its threads joined. After block_signals(), and after any
/// fork: the threads start here. The error is one line.
[[nodiscard]] tl::expected<void, std::string> serve(Mount& mount, Tree& tree);

}  // namespace hypeman::fs
