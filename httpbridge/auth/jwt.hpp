#pragma once

#include <chrono>
#include <string>

#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"

namespace hypeman::httpbridge {

/// Verifies a Hypeman API key: an HMAC made with `secret` signs it, `now` is within its times, it
/// is not a registry token, and its permissions (if it has any) allow to read instances. The error
/// is AuthorizationError::token_invalid if the signature or the time is wrong. Thread-safe.
[[nodiscard]] tl::expected<Validity, AuthorizationError> verify_jwt(
    const std::string& token, const std::string& secret, std::chrono::system_clock::time_point now);

}  // namespace hypeman::httpbridge
