#pragma once

#include <chrono>
#include <string>

#include <tl/expected.hpp>

#include "httpbridge/authorizer.hpp"

namespace hypeman::httpbridge {

/// Whether `token` is a Hypeman key for reading statistics: signed with `secret` by an HMAC, in
/// time, not a registry token, and with the right to read if it lists its rights.
/// Denial::token_invalid unless the signature is good and the time is right. Thread-safe.
[[nodiscard]] tl::expected<Grant, Denial> verify_jwt(const std::string& token,
                                                     const std::string& secret,
                                                     std::chrono::system_clock::time_point now);

}  // namespace hypeman::httpbridge
