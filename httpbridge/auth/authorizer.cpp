#include "httpbridge/auth/authorizer.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "httpbridge/auth/jwt.hpp"

namespace hypeman::httpbridge {
namespace {

bool is_bearer(std::string_view scheme) {
  constexpr std::string_view bearer = "bearer";
  return std::equal(scheme.begin(), scheme.end(), bearer.begin(), bearer.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

}  // namespace

Authorizer::Authorizer(Keys keys) : jwt_secrets_(std::move(keys.jwt_secrets)) {
  for (const std::string& token : keys.plain_tokens) {
    plain_tokens_.push_back(digest_of(token));
  }
}

Authorizer Authorizer::allowing_all() {
  Authorizer authorizer{Keys{}};
  authorizer.allow_all_ = true;
  return authorizer;
}

tl::expected<Validity, AuthorizationError> Authorizer::authorize(
    std::optional<std::string_view> header, std::chrono::system_clock::time_point now) const {
  if (allow_all_) {
    return Validity{};
  }
  if (!header || header->empty()) {
    return tl::unexpected(AuthorizationError::header_missing);
  }
  const std::size_t space = header->find(' ');
  if (space == std::string_view::npos || !is_bearer(header->substr(0, space))) {
    return tl::unexpected(AuthorizationError::header_malformed);
  }
  const std::string token{header->substr(space + 1)};
  if (is_plain_token(token)) {
    return Validity{};
  }
  for (const std::string& secret : jwt_secrets_) {
    auto validity = verify_jwt(token, secret, now);
    // Any other error means that this secret signed the token.
    if (validity || validity.error() != AuthorizationError::token_invalid) {
      return validity;
    }
  }
  return tl::unexpected(AuthorizationError::token_invalid);
}

Authorizer::Digest Authorizer::digest_of(std::string_view token) {
  Digest digest{};
  const std::vector<unsigned char> bytes(token.begin(), token.end());
  SHA256(bytes.data(), bytes.size(), digest.data());
  return digest;
}

// Compares digests, and always all of them. The duration then reveals neither the length of a
// token, nor how many characters of a guess are right, nor which token it resembles.
bool Authorizer::is_plain_token(std::string_view token) const {
  if (plain_tokens_.empty()) {
    return false;
  }
  const Digest digest = digest_of(token);
  bool found = false;
  for (const Digest& known : plain_tokens_) {
    const bool is_equal = CRYPTO_memcmp(digest.data(), known.data(), known.size()) == 0;
    found = found || is_equal;
  }
  return found;
}

tl::expected<void, AuthorizationError> CachedAuthorization::authorize(
    const std::shared_ptr<const Authorizer>& authorizer, std::optional<std::string_view> header,
    std::chrono::system_clock::time_point now) {
  const bool is_same = authorizer_ == authorizer && header && *header == header_;
  if (is_same && validity_.is_valid_at(now)) {
    return {};
  }
  const auto validity = authorizer->authorize(header, now);
  if (!validity) {
    return tl::unexpected(validity.error());
  }
  authorizer_ = authorizer;
  header_ = header.value_or(std::string_view{});
  validity_ = *validity;
  return {};
}

}  // namespace hypeman::httpbridge
