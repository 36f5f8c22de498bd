#include "httpbridge/authorizer.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "httpbridge/jwt.hpp"

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

Authorizer Authorizer::allowing_everyone() {
  Authorizer authorizer{Keys{}};
  authorizer.everyone_ = true;
  return authorizer;
}

tl::expected<Grant, Denial> Authorizer::authorize(std::optional<std::string_view> header,
                                                  std::chrono::system_clock::time_point now) const {
  if (everyone_) {
    return Grant{};
  }
  if (!header || header->empty()) {
    return tl::unexpected(Denial::header_missing);
  }
  const std::size_t space = header->find(' ');
  if (space == std::string_view::npos || !is_bearer(header->substr(0, space))) {
    return tl::unexpected(Denial::header_malformed);
  }
  const std::string token{header->substr(space + 1)};
  if (is_plain_token(token)) {
    return Grant{};
  }
  for (const std::string& secret : jwt_secrets_) {
    auto grant = verify_jwt(token, secret, now);
    // Only a token that this secret did sign can be refused for another reason than its signature.
    if (grant || grant.error() != Denial::token_invalid) {
      return grant;
    }
  }
  return tl::unexpected(Denial::token_invalid);
}

Authorizer::Digest Authorizer::digest_of(std::string_view token) {
  Digest digest{};
  const std::vector<unsigned char> bytes(token.begin(), token.end());
  SHA256(bytes.data(), bytes.size(), digest.data());
  return digest;
}

// Digests instead of the tokens, and all of them: the time taken tells neither the length of a
// token, nor how much of a guess was right, nor which token it was near to.
bool Authorizer::is_plain_token(std::string_view token) const {
  if (plain_tokens_.empty()) {
    return false;
  }
  const Digest shown = digest_of(token);
  bool found = false;
  for (const Digest& known : plain_tokens_) {
    const bool same = CRYPTO_memcmp(shown.data(), known.data(), known.size()) == 0;
    found = found || same;
  }
  return found;
}

tl::expected<void, Denial> ShownKey::check(const std::shared_ptr<const Authorizer>& authorizer,
                                           std::optional<std::string_view> header,
                                           std::chrono::system_clock::time_point now) {
  const bool same = authorizer_ == authorizer && header && *header == header_;
  if (same && grant_.holds_at(now)) {
    return {};
  }
  const auto grant = authorizer->authorize(header, now);
  if (!grant) {
    return tl::unexpected(grant.error());
  }
  authorizer_ = authorizer;
  header_ = header.value_or(std::string_view{});
  grant_ = *grant;
  return {};
}

}  // namespace hypeman::httpbridge
