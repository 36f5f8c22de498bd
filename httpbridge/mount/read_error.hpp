#pragma once

#include <system_error>

namespace hypeman::httpbridge {

/// Why statistics could not be read.
enum class ReadError {
  not_found,
  ambiguous,
  no_permission,
  unavailable,  ///< the mount is absent, or its daemon does not answer; a later read may succeed
  failed,       ///< the mount returned something that its documentation does not allow
};

/// Maps an error of a system call or of MountedTree.
[[nodiscard]] ReadError classify(std::error_code error);

}  // namespace hypeman::httpbridge
