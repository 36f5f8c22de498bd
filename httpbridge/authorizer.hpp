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

/// Why a request may not see statistics.
enum class Denial {
  header_missing,
  header_malformed,
  token_invalid,
  token_of_wrong_type,
  scope_missing,
};

/// How long an accepted key stays good: `not_before <= now < expires`.
struct Grant {
  std::chrono::system_clock::time_point not_before = std::chrono::system_clock::time_point::min();
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();

  [[nodiscard]] bool holds_at(std::chrono::system_clock::time_point now) const {
    return not_before <= now && now < expires;
  }
};

/// What requests are checked against.
struct Keys {
  std::vector<std::string> jwt_secrets;
  std::vector<std::string> plain_tokens;
};

/// Decides whether an Authorization header opens the door. Immutable, so safe from any thread; new
/// keys make a new authorizer.
class Authorizer {
 public:
  /// Accepts plain tokens and JWTs signed with one of the secrets.
  explicit Authorizer(Keys keys);

  /// Accepts every request, with or without a header.
  [[nodiscard]] static Authorizer allowing_everyone();

  /// `header` is the value of the Authorization header, absent if the request has none.
  [[nodiscard]] tl::expected<Grant, Denial> authorize(
      std::optional<std::string_view> header, std::chrono::system_clock::time_point now) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  [[nodiscard]] static Digest digest_of(std::string_view token);
  [[nodiscard]] bool is_plain_token(std::string_view token) const;

  bool everyone_ = false;
  std::vector<std::string> jwt_secrets_;
  std::vector<Digest> plain_tokens_;
};

/// Remembers the header that one connection showed last, so that a client which repeats its key on
/// a kept-alive connection pays for the verification once. Not thread-safe.
class ShownKey {
 public:
  /// As Authorizer::authorize(). A grant is never reused beyond its time or with other keys.
  [[nodiscard]] tl::expected<void, Denial> check(
      const std::shared_ptr<const Authorizer>& authorizer, std::optional<std::string_view> header,
      std::chrono::system_clock::time_point now);

 private:
  std::shared_ptr<const Authorizer> authorizer_;
  std::string header_;
  Grant grant_;
};

}  // namespace hypeman::httpbridge
