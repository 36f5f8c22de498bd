#pragma once

#include <span>

#include "base/result.hpp"

namespace hypeman::fs {

/// Restricts this process with Landlock. It can then open files only for reading, and only below
/// the `readable` directories (descriptors). Descriptors that are already open stay usable. If the
/// kernel's Landlock can forbid it, the process also cannot bind or connect TCP sockets, and cannot
/// reach other processes with abstract sockets, signals or ptrace. Call this after no_new_privs is
/// set and before the first thread starts. ENOSYS, EOPNOTSUPP: this kernel has no Landlock.
[[nodiscard]] Result<void> restrict_file_access(std::span<const int> readable);

}  // namespace hypeman::fs
