#include "fs/sandbox/sandbox.hpp"

#include <sys/capability.h>

#include <array>

#include "fs/sandbox/landlock.hpp"
#include "fs/sandbox/privileges.hpp"

namespace hypeman::fs {

tl::expected<void, std::string> enter_sandbox(const Sandbox& sandbox, spdlog::logger& logger) {
  if (const auto forbidden = forbid_new_privileges(); !forbidden) {
    logger.warn("{}", forbidden.error());
  }
  // The data directory may be readable only by root.
  constexpr std::array kept{cap_value_t{CAP_DAC_READ_SEARCH}};
  auto changed = change_user(sandbox.user, sandbox.groups).and_then([&] {
    return keep_capabilities(kept, kept);
  });
  if (!changed) {
    return changed;
  }
  if (const auto restricted = restrict_file_access(sandbox.readable_directories); !restricted) {
    logger.warn("cannot restrict file access with Landlock: {}; continuing without it",
                restricted.error().message());
  }
  if (const auto restricted = restrict_system_calls(sandbox.log, sandbox.io_uring); !restricted) {
    logger.warn("cannot restrict system calls with seccomp: {}; continuing without it",
                restricted.error().message());
  }
  return {};
}

}  // namespace hypeman::fs
