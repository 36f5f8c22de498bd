#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include <spdlog/logger.h>
#include <tl/expected.hpp>

#include "fs/sandbox/seccomp.hpp"
#include "fs/sandbox/user.hpp"

namespace hypeman::fs {

/// The rights that a sandboxed process keeps.
struct Sandbox {
  User user;
  std::vector<gid_t> groups;              ///< supplementary groups
  std::vector<int> readable_directories;  ///< descriptors; files below them can be read
  LogTarget log;
  bool io_uring = false;  ///< the process uses rings that were made before
};

/// Restricts this process permanently. It then runs as the user, has CAP_DAC_READ_SEARCH as its
/// only capability, and can only read files below the readable directories and write its log. Call
/// this before the first thread starts. If the kernel does not support a restriction, or the
/// process may not drop a privilege, this logs one line and continues. The error is one line: the
/// user could not be changed, or the capabilities could not be dropped.
[[nodiscard]] tl::expected<void, std::string> enter_sandbox(const Sandbox& sandbox,
                                                            spdlog::logger& logger);

}  // namespace hypeman::fs
