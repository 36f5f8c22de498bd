#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace hypeman::tests {

/// An exception with errno, the operation and its object.
[[nodiscard]] inline std::system_error errno_error(const std::string& what) {
  return {errno, std::generic_category(), what};
}

}  // namespace hypeman::tests
