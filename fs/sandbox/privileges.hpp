#pragma once

#include <sys/capability.h>
#include <sys/types.h>

#include <span>
#include <string>

#include <tl/expected.hpp>

#include "fs/sandbox/user.hpp"

/// What the running process may do, by its user and its capabilities(7). Every function is for a
/// process with one thread, and cannot be undone. Errors are one line.
namespace hypeman::fs {

/// Sees to it that nothing can be gained any more: no_new_privs, an empty bounding set, and locked
/// securebits by which the user ID 0 gives no capability. The error names what the process is not
/// allowed to give up; the rest is given up all the same. Where no user ID is 0, no_new_privs does
/// alone, so it is no error there.
[[nodiscard]] tl::expected<void, std::string> forbid_new_privileges();

/// Changes all user and group IDs, with no groups but `groups`; keeps the permitted capabilities.
/// Does nothing for the user that the process runs as already.
[[nodiscard]] tl::expected<void, std::string> change_user(const User& user,
                                                          std::span<const gid_t> groups);

/// Gives up all capabilities but `permitted`, of which those in `effective` are in force. What the
/// process does not have it does not get, which is no error.
[[nodiscard]] tl::expected<void, std::string> keep_capabilities(
    std::span<const cap_value_t> permitted, std::span<const cap_value_t> effective);

}  // namespace hypeman::fs
