#pragma once

#include <sys/capability.h>
#include <sys/types.h>

#include <span>
#include <string>

#include <tl/expected.hpp>

#include "fs/sandbox/user.hpp"

/// Changes of the process's user and capabilities(7). They cannot be undone. Call these functions
/// before the first thread starts: most changes affect only the calling thread. Errors are one
/// line.
namespace hypeman::fs {

/// Makes sure that this process and its children never gain privileges. Sets no_new_privs, empties
/// the capability bounding set, and locks the securebits so that user ID 0 gives no capabilities.
/// The error names the first step that failed. If no user ID is 0, no_new_privs is sufficient, and
/// a failure of the other two steps is not an error.
[[nodiscard]] tl::expected<void, std::string> forbid_new_privileges();

/// Changes all user IDs and group IDs to those of `user`, and the supplementary groups to `groups`.
/// Keeps the permitted capabilities. If the process already runs as `user`, a lack of permission is
/// not an error.
[[nodiscard]] tl::expected<void, std::string> change_user(const User& user,
                                                          std::span<const gid_t> groups);

/// Sets the permitted and the effective capabilities and drops all others. Capabilities that the
/// process does not have are ignored.
[[nodiscard]] tl::expected<void, std::string> keep_capabilities(
    std::span<const cap_value_t> permitted, std::span<const cap_value_t> effective);

}  // namespace hypeman::fs
