#pragma once

#include <string>
#include <string_view>

namespace hypeman::httpbridge::testing {

/// A JWT with any header and claims (JSON), valid or not. The signature is an HMAC with the hash
/// that OpenSSL names `hash`. Does not use the library that the bridge uses.
[[nodiscard]] std::string signed_token(std::string_view header, std::string_view claims,
                                       std::string_view secret, const char* hash = "SHA256");

/// The same with the header of HS256.
[[nodiscard]] std::string hs256_token(std::string_view claims, std::string_view secret);

/// Base64 with the URL alphabet and without padding.
[[nodiscard]] std::string base64url(std::string_view bytes);

}  // namespace hypeman::httpbridge::testing
