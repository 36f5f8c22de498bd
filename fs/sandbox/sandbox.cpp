#include "fs/sandbox/sandbox.hpp"

#include <sys/capability.h>

#include <array>

#include "fs/sandbox/landlock.hpp"
#include "fs/sandbox/privileges.hpp"

namespace hypeman::fs {

tl::expected<void, std::string> enter(const Sandbox& sandbox, spdlog::logger& logger) {
  if (const auto forbidden = forbid_new_privileges(); !forbidden) {
    logger.warn("{}", forbidden.error());
  }
  // Hypeman may keep its data directory from everybody but root.
  constexpr std::array kept{cap_value_t{CAP_DAC_READ_SEARCH}};
  auto changed = change_user(sandbox.user, sandbox.groups).and_then([&] {
    return keep_capabilities(kept, kept);
  });
  if (!changed) {
    return changed;
  }
  if (const auto restricted = restrict_files_to(sandbox.readable); !restricted) {
    logger.warn("Landlock does not restrict which files are read: {}",
                restricted.error().message());
  }
  if (const auto restricted = restrict_system_calls(sandbox.log); !restricted) {
    logger.warn("seccomp does not restrict the system calls: {}", restricted.error().message());
  }
  return {};
}

}  // namespace hypeman::fs
