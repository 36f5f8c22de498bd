#pragma once

#include <span>

#include "base/result.hpp"

namespace hypeman::fs {

/// From now on this process can open files for reading below `directories` (descriptors), and
/// otherwise nothing; as far as the kernel's Landlock goes, it also can neither connect nor bind
/// TCP sockets, nor reach other processes by abstract sockets, signals or ptrace. What is open
/// stays so. After no_new_privs, before the first thread. ENOSYS, EOPNOTSUPP: this kernel has no
/// Landlock.
[[nodiscard]] Result<void> restrict_files_to(std::span<const int> directories);

}  // namespace hypeman::fs
