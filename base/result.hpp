#pragma once

#include <cerrno>
#include <system_error>

#include <tl/expected.hpp>

namespace hypeman {

/// A value, or the errno that explains why there is none (always of std::generic_category()).
template <class T>
using Result = tl::expected<T, std::error_code>;

/// The error side of a Result, from an errno value.
[[nodiscard]] inline tl::unexpected<std::error_code> failure(int error_number) {
  return tl::unexpected{std::error_code{error_number, std::generic_category()}};
}

/// The error side of a Result, from the system call that has just failed.
[[nodiscard]] inline tl::unexpected<std::error_code> last_failure() {
  return failure(errno);
}

}  // namespace hypeman
