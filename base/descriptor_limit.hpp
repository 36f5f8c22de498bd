#pragma once

#include <cstddef>

namespace hypeman {

/// Raises the soft limit on open files (RLIMIT_NOFILE) to the hard limit. Returns the soft limit
/// that then applies, or 0 if it is unknown.
std::size_t raise_descriptor_limit();

}  // namespace hypeman
