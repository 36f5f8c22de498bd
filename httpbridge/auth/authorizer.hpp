#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace hypeman::httpbridge {

/// Why a request is not authorized.
enum class AuthorizationError {
  header_missing,
  header_malformed,
  token_invalid,
  token_type_invalid,
  scope_missing,
};

/// The time in which an accepted key is valid: `not_before <= now < expires`.
struct Validity {
  std::chrono::system_clock::time_point not_before = std::chrono::system_clock::time_point::min();
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();

  [[nodiscard]] bool is_valid_at(std::chrono::system_clock::time_point now) const {
    return not_before <= now && now < expires;
  }
};

/// The keys that clients may use.
struct Keys {
  std::vector<std::string> jwt_secrets;
  std::vector<std::string> plain_tokens;
};

/// Checks Authorization headers. Immutable and therefore thread-safe: new keys need a new object.
class Authorizer {
 public:
  /// Accepts plain tokens and JWTs signed with one of the secrets.
  explicit Authorizer(Keys keys);

  /// An authorizer that accepts every request, with or without a header.
  [[nodiscard]] static Authorizer allowing_all();

  /// `header` is the value of the Authorization header, absent if the request has none.
  [[nodiscard]] tl::expected<Validity, AuthorizationError> authorize(
      std::optional<std::string_view> header, std::chrono::system_clock::time_point now) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  [[nodiscard]] static Digest digest_of(std::string_view token);
  [[nodiscard]] bool is_plain_token(std::string_view token) const;

  bool allow_all_ = false;
  std::vector<std::string> jwt_secrets_;
  std::vector<Digest> plain_tokens_;
};

/// Keeps the last accepted header of one connection. A client that sends the same key with each
/// request then costs one verification only. Not thread-safe.
class CachedAuthorization {
 public:
  /// Like Authorizer::authorize(). Never reuses a result after it expires or for another
  /// authorizer.
  [[nodiscard]] tl::expected<void, AuthorizationError> authorize(
      const std::shared_ptr<const Authorizer>& authorizer, std::optional<std::string_view> header,
      std::chrono::system_clock::time_point now);

 private:
  std::shared_ptr<const Authorizer> authorizer_;
  std::string header_;
  Validity validity_;
};

}  // namespace hypeman::httpbridge
