#include "httpbridge/auth/jwt.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include <jwt.h>
#include <nlohmann/json.hpp>

namespace hypeman::httpbridge {
namespace {

using nlohmann::json;
using std::chrono::system_clock;

struct FreeJwt {
  void operator()(jwt_t* token) const { jwt_free(token); }
};
using JwtPtr = std::unique_ptr<jwt_t, FreeJwt>;

struct FreeText {
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory): libjwt's malloc
  void operator()(char* text) const { std::free(text); }
};

// libjwt takes the algorithm from the token's header and ignores the case of its name. This accepts
// only the three HMACs in the spelling of RFC 7518.
bool is_hmac(jwt_t* token) {
  constexpr std::array<std::pair<jwt_alg_t, std::string_view>, 3> accepted{{
      {JWT_ALG_HS256, "HS256"},
      {JWT_ALG_HS384, "HS384"},
      {JWT_ALG_HS512, "HS512"},
  }};
  const char* named = jwt_get_header(token, "alg");
  return named != nullptr &&
         std::find(accepted.begin(), accepted.end(),
                   std::pair{jwt_get_alg(token), std::string_view{named}}) != accepted.end();
}

// RFC 7515, 4.1.11: a token must be refused if it needs an extension that is not supported. This
// supports none.
bool has_critical_extension(jwt_t* token) {
  const std::unique_ptr<char, FreeText> value{jwt_get_headers_json(token, "crit")};
  return value != nullptr;
}

JwtPtr decode_signed(const std::string& token, const std::string& secret) {
  // libjwt reads the text up to the first NUL. It would not verify the rest.
  if (secret.empty() || token.find('\0') != std::string::npos) {
    return nullptr;
  }
  const std::vector<unsigned char> key(secret.begin(), secret.end());
  jwt_t* decoded = nullptr;
  if (jwt_decode(&decoded, token.c_str(), key.data(), static_cast<int>(key.size())) != 0) {
    return nullptr;
  }
  JwtPtr result{decoded};
  return is_hmac(decoded) && !has_critical_extension(decoded) ? std::move(result) : nullptr;
}

json claims_of(jwt_t* token) {
  const std::unique_ptr<char, FreeText> text{jwt_get_grants_json(token, nullptr)};
  return text ? json::parse(text.get(), nullptr, /*allow_exceptions=*/false) : json();
}

// A numeric date (RFC 7519, 2): seconds, possibly with a fraction. Dates outside the clock's range
// are clamped.
bool read_time(const json& claims, const char* name, system_clock::time_point& time) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) {
    return true;
  }
  if (!claim->is_number()) {
    return false;
  }
  constexpr double end_of_time = 9e9;  // in the year 2255; the clock can show times until 2262
  const double seconds = std::clamp(claim->get<double>(), -end_of_time, end_of_time);
  time = system_clock::time_point{
      std::chrono::duration_cast<system_clock::duration>(std::chrono::duration<double>(seconds))};
  return true;
}

bool is_registry_token(const json& claims) {
  return claims.contains("repos") || claims.contains("scope") || claims.contains("build_id");
}

bool may_read_instances(const json& claims) {
  const auto permissions = claims.find("permissions");
  if (permissions == claims.end()) {
    return true;  // older keys have full access
  }
  if (!permissions->is_array() ||
      !std::all_of(permissions->begin(), permissions->end(),
                   [](const json& permission) { return permission.is_string(); })) {
    return false;
  }
  return std::any_of(permissions->begin(), permissions->end(), [](const json& permission) {
    return permission == "instance:read" || permission == "*";
  });
}

}  // namespace

tl::expected<Validity, AuthorizationError> verify_jwt(const std::string& token,
                                                      const std::string& secret,
                                                      system_clock::time_point now) {
  const JwtPtr decoded = decode_signed(token, secret);
  if (!decoded) {
    return tl::unexpected(AuthorizationError::token_invalid);
  }
  const json claims = claims_of(decoded.get());
  Validity validity;
  if (!claims.is_object() || !read_time(claims, "exp", validity.expires) ||
      !read_time(claims, "nbf", validity.not_before) || !validity.is_valid_at(now)) {
    return tl::unexpected(AuthorizationError::token_invalid);
  }
  if (is_registry_token(claims)) {
    return tl::unexpected(AuthorizationError::token_type_invalid);
  }
  if (!may_read_instances(claims)) {
    return tl::unexpected(AuthorizationError::scope_missing);
  }
  return validity;
}

}  // namespace hypeman::httpbridge
