#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hypeman::fs {

/// The group whose members see all processes although /proc is mounted with hidepid= (proc(5)): the
/// group of the option gid=, or root if that is missing. Returns nothing if /proc does not hide
/// processes. `mounts` is the path of a mount table: /proc/self/mounts, or another file in tests.
[[nodiscard]] std::optional<gid_t> hidepid_exempt_group(const std::string& mounts);

}  // namespace hypeman::fs
