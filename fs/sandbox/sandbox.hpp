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

/// What is left to a process in a sandbox.
struct Sandbox {
  User user;
  std::vector<gid_t> groups;  ///< supplementary ones
  std::vector<int> readable;  ///< descriptors of directories below which it may read
  LogTarget log;              ///< what it may reach beside
};

/// Shuts this process in, for good: it runs as the user, with CAP_DAC_READ_SEARCH as its only
/// capability, and can open files below the readable directories for reading and do nothing else.
/// What the kernel has not, or does not let the process give up, is logged, each in a line. Before
/// the first thread. The error is one line: the process is still another user's.
[[nodiscard]] tl::expected<void, std::string> enter(const Sandbox& sandbox, spdlog::logger& logger);

}  // namespace hypeman::fs
