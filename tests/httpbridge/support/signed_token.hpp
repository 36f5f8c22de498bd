#pragma once

#include <string>
#include <string_view>

namespace hypeman::httpbridge::testing {

/// A JWT made from its parts, right or wrong: header and claims as JSON, signed with the HMAC over
/// the hash that OpenSSL knows as `hash`. Written without the library that the bridge uses.
[[nodiscard]] std::string signed_token(std::string_view header, std::string_view claims,
                                       std::string_view secret, const char* hash = "SHA256");

/// The same with the header of HS256.
[[nodiscard]] std::string hs256_token(std::string_view claims, std::string_view secret);

/// Base64 with the URL's alphabet and no padding.
[[nodiscard]] std::string base64url(std::string_view bytes);

}  // namespace hypeman::httpbridge::testing
