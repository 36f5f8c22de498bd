#include "httpbridge/auth/authorizer.hpp"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/httpbridge/support/signed_token.hpp"

namespace hypeman::httpbridge {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;
using testing::base64url;
using testing::hs256_token;
using testing::signed_token;

constexpr std::string_view secret = "a secret of Hypeman";
constexpr std::string_view hs256 = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view user = R"({"sub":"me","iat":1})";
const system_clock::time_point now{1'800'000'000s};

class AuthorizerTest : public ::testing::Test {
 protected:
  [[nodiscard]] static tl::expected<Validity, AuthorizationError> authorize(
      const std::optional<std::string>& header) {
    const Authorizer authorizer{Keys{{std::string{secret}}, {"plain-token", "other"}}};
    return authorizer.authorize(header, now);
  }
  [[nodiscard]] static tl::expected<Validity, AuthorizationError> show(const std::string& token) {
    return authorize("Bearer " + token);
  }
  [[nodiscard]] static tl::expected<Validity, AuthorizationError> claim(std::string_view claims) {
    return show(hs256_token(claims, secret));
  }
};

void expect_denied(const tl::expected<Validity, AuthorizationError>& outcome,
                   AuthorizationError why) {
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error(), why);
}

TEST_F(AuthorizerTest, RequiresABearerHeader) {
  expect_denied(authorize(std::nullopt), AuthorizationError::header_missing);
  expect_denied(authorize(""), AuthorizationError::header_missing);
  for (const char* header : {"plain-token", "Bearer", "Basic plain-token", "Bearerplain-token",
                             "Token plain-token", "Bearer\tplain-token"}) {
    expect_denied(authorize(header), AuthorizationError::header_malformed);
  }
  EXPECT_TRUE(authorize("bearer plain-token").has_value());
  expect_denied(authorize("Bearer "), AuthorizationError::token_invalid);
  expect_denied(authorize("Bearer  plain-token"), AuthorizationError::token_invalid);
}

TEST_F(AuthorizerTest, ComparesWholePlainTokens) {
  EXPECT_TRUE(show("plain-token").has_value());
  EXPECT_TRUE(show("other").has_value());
  for (const char* token : {"plain-toke", "plain-token2", "PLAIN-TOKEN", "plain-token,other"}) {
    expect_denied(show(token), AuthorizationError::token_invalid);
  }
}

TEST_F(AuthorizerTest, AcceptsTheHmacFamily) {
  EXPECT_TRUE(show(signed_token(hs256, user, secret, "SHA256")).has_value());
  EXPECT_TRUE(show(signed_token(R"({"alg":"HS384"})", user, secret, "SHA384")).has_value());
  EXPECT_TRUE(show(signed_token(R"({"alg":"HS512"})", user, secret, "SHA512")).has_value());
}

TEST_F(AuthorizerTest, IgnoresOtherAlgorithmsInTheToken) {
  for (const char* alg : {"none", "None", "NONE", "nOnE", "", "RS256", "RS384", "RS512", "ES256",
                          "ES384", "ES512", "PS256", "EdDSA", "hs256", "HS256 ", "HS1", "HS384"}) {
    const std::string header = fmt::format(R"({{"alg":"{}","typ":"JWT"}})", alg);
    expect_denied(show(signed_token(header, user, secret)), AuthorizationError::token_invalid);
    expect_denied(show(base64url(header) + "." + base64url(user) + "."),
                  AuthorizationError::token_invalid);
    expect_denied(show(base64url(header) + "." + base64url(user)),
                  AuthorizationError::token_invalid);
  }
  for (const char* header :
       {"{}", "[]", "null", "", R"({"alg":null})", R"({"alg":256})", R"({"alg":["HS256"]})"}) {
    expect_denied(show(signed_token(header, user, secret)), AuthorizationError::token_invalid);
  }
}

TEST_F(AuthorizerTest, RefusesTokensWithCriticalExtensions) {
  for (const char* critical : {R"(["exp"])", R"([])", R"("b64")", "null", "1"}) {
    const std::string header = fmt::format(R"({{"alg":"HS256","crit":{}}})", critical);
    expect_denied(show(signed_token(header, user, secret)), AuthorizationError::token_invalid);
  }
  EXPECT_TRUE(show(signed_token(R"({"alg":"HS256","kid":"crit"})", user, secret)).has_value());
}

TEST_F(AuthorizerTest, RefusesTokensThatTheSecretDidNotSign) {
  expect_denied(show(hs256_token(user, "another secret")), AuthorizationError::token_invalid);
  expect_denied(show(hs256_token(user, "")), AuthorizationError::token_invalid);
  const std::string good = hs256_token(user, secret);
  ASSERT_TRUE(show(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    expect_denied(show(good.substr(0, size)), AuthorizationError::token_invalid);
  }
  expect_denied(show(good + "."), AuthorizationError::token_invalid);
  expect_denied(show(good + "A"), AuthorizationError::token_invalid);
  expect_denied(show(good + std::string(1, '\0')), AuthorizationError::token_invalid);
  expect_denied(show(good + std::string("\0A", 2)), AuthorizationError::token_invalid);
  const std::string signature = good.substr(good.rfind('.'));
  expect_denied(show(base64url(hs256) + "." + base64url(R"({"sub":"you"})") + signature),
                AuthorizationError::token_invalid);
  for (const char* token : {".", "..", "...", "a.b.c", "%%%.%%%.%%%"}) {
    expect_denied(show(token), AuthorizationError::token_invalid);
  }
  expect_denied(show(std::string(16000, 'A')), AuthorizationError::token_invalid);
}

TEST_F(AuthorizerTest, ChecksTheTimesOfAToken) {
  EXPECT_TRUE(claim(R"({"sub":"me"})").has_value());
  EXPECT_TRUE(claim(R"({"exp":1800000001})").has_value());
  EXPECT_TRUE(claim(R"({"exp":1800000000.5})").has_value());
  EXPECT_TRUE(claim(R"({"exp":1e300})").has_value());
  EXPECT_TRUE(claim(R"({"nbf":1800000000})").has_value());
  for (const char* claims :
       {R"({"exp":1800000000})", R"({"exp":0})", R"({"exp":-1})", R"({"exp":-1e300})",
        R"({"exp":null})", R"({"exp":"1900000000"})", R"({"exp":true})", R"({"exp":[]})",
        R"({"nbf":1800000001})", R"({"nbf":"0"})", R"({"nbf":1e300})"}) {
    expect_denied(claim(claims), AuthorizationError::token_invalid);
  }
}

TEST_F(AuthorizerTest, RefusesRegistryTokens) {
  for (const char* claims :
       {R"({"repos":["a"]})", R"({"repos":null})", R"({"scope":"pull"})", R"({"scope":null})",
        R"({"scope":""})", R"({"build_id":"1"})", R"({"build_id":false})"}) {
    expect_denied(claim(claims), AuthorizationError::token_type_invalid);
  }
  EXPECT_TRUE(claim(R"({"sub":"builder-1"})").has_value());
  expect_denied(claim(R"({"repos":[],"exp":1})"), AuthorizationError::token_invalid);
}

TEST_F(AuthorizerTest, RequiresThePermissionIfPermissionsAreListed) {
  EXPECT_TRUE(claim(R"({"permissions":["instance:read"]})").has_value());
  EXPECT_TRUE(claim(R"({"permissions":["x","*"]})").has_value());
  for (const char* claims :
       {R"({"permissions":[]})", R"({"permissions":["instance:write"]})",
        R"({"permissions":["instance:*"]})", R"({"permissions":null})",
        R"({"permissions":"instance:read"})", R"({"permissions":["instance:read",1]})",
        R"({"permissions":{"instance:read":true}})", R"({"permissions":["INSTANCE:READ"]})"}) {
    expect_denied(claim(claims), AuthorizationError::scope_missing);
  }
}

TEST_F(AuthorizerTest, WithoutSecretsAcceptsNoJwt) {
  const Authorizer authorizer{Keys{{}, {"plain"}}};
  EXPECT_FALSE(authorizer.authorize("Bearer " + hs256_token(user, ""), now).has_value());
  EXPECT_TRUE(authorizer.authorize("Bearer plain", now).has_value());
}

TEST_F(AuthorizerTest, CanAllowAllRequests) {
  EXPECT_TRUE(Authorizer::allowing_all().authorize(std::nullopt, now).has_value());
}

TEST_F(AuthorizerTest, ACachedAuthorizationExpiresAndCanBeRevoked) {
  const auto keys = std::make_shared<const Authorizer>(Keys{{std::string{secret}}, {}});
  const std::string header = "Bearer " + hs256_token(R"({"exp":1800000010})", secret);
  CachedAuthorization cache;
  EXPECT_TRUE(cache.authorize(keys, header, now).has_value());
  EXPECT_TRUE(cache.authorize(keys, header, now + 9s).has_value());
  EXPECT_FALSE(cache.authorize(keys, header, now + 10s).has_value());
  EXPECT_FALSE(cache.authorize(keys, std::nullopt, now).has_value());
  EXPECT_FALSE(cache.authorize(keys, header + "x", now).has_value());
  const auto other_keys = std::make_shared<const Authorizer>(Keys{{"another"}, {}});
  EXPECT_FALSE(cache.authorize(other_keys, header, now).has_value());
}

TEST_F(AuthorizerTest, ANewCacheIsEmpty) {
  CachedAuthorization cache;
  EXPECT_FALSE(cache.authorize(std::make_shared<const Authorizer>(Keys{}), "", now).has_value());
  EXPECT_FALSE(
      cache.authorize(std::make_shared<const Authorizer>(Keys{}), std::nullopt, now).has_value());
}

}  // namespace
}  // namespace hypeman::httpbridge
