#pragma once

#include <string>
#include <string_view>

namespace hypeman::httpbridge::testing {

/// Makes a JWT, valid or invalid, from a header and claims in JSON. Signs it with an HMAC; `hash`
/// is the name of the hash in OpenSSL. Does not use the library of the bridge.
[[nodiscard]] std::string signed_token(std::string_view header, std::string_view claims,
                                       std::string_view secret, const char* hash = "SHA256");

/// The same with the header of HS256.
[[nodiscard]] std::string hs256_token(std::string_view claims, std::string_view secret);

/// Base64 with the alphabet for URLs, without padding.
[[nodiscard]] std::string base64url(std::string_view bytes);

}  // namespace hypeman::httpbridge::testing
