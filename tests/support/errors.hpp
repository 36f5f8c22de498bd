#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace hypeman::tests {

/// The error that errno holds, with what was being done to what.
[[nodiscard]] inline std::system_error errno_error(const std::string& what) {
  return {errno, std::generic_category(), what};
}

}  // namespace hypeman::tests
