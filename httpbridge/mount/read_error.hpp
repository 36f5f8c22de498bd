#pragma once

#include <system_error>

#include <tl/expected.hpp>

namespace hypeman::httpbridge {

/// Why statistics could not be read, for the HTTP reply.
enum class ReadError {
  not_found,
  ambiguous,
  unavailable,  ///< the mount is absent, or its daemon does not answer; a later read may succeed
  failed,       ///< the mount returned something that its documentation does not allow
};

/// The same with the cause, for the log.
struct ReadFailure {
  ReadError error = ReadError::failed;
  std::error_code cause;
};

template <typename T>
using ReadResult = tl::expected<T, ReadFailure>;

}  // namespace hypeman::httpbridge
