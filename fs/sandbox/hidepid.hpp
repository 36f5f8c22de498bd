#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hypeman::fs {

/// The group whose members see the processes of other users although /proc is mounted with hidepid=
/// (proc(5)): that of its option gid=, without one the group root. Nothing if /proc hides nobody.
/// `mounts` is /proc/self/mounts, or in tests another file of its form.
[[nodiscard]] std::optional<gid_t> group_that_sees_all_processes(const std::string& mounts);

}  // namespace hypeman::fs
