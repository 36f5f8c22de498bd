// Authentication over a real socket: accepted keys and the responses to refused ones.

#include <sys/stat.h>

#include <csignal>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>

#include "tests/httpbridge/support/bridge_test.hpp"
#include "tests/httpbridge/support/signed_token.hpp"

namespace hypeman::httpbridge::testing {
namespace {

class KeysTest : public BridgeTest {
 protected:
  [[nodiscard]] std::optional<Response> show(const std::string& header_line) const {
    return testing::get(address(), stats_path(web_id), header_line);
  }
  [[nodiscard]] std::optional<Response> claim(const std::string& claims) const {
    return show(bearer(hs256_token(claims, jwt_secret)));
  }
  void expect_unauthorized(const std::string& header_line, const std::string& message) {
    SCOPED_TRACE(header_line);
    const auto response = show(header_line);
    expect_error(response, 401, "Unauthorized", "security requirements failed: " + message);
    EXPECT_EQ(response->header("www-authenticate"), "Bearer");
  }
  static std::string seconds_from_now(int seconds) {
    return std::to_string(std::time(nullptr) + seconds);
  }
};

TEST_P(KeysTest, RequiresAKey) {
  start();
  expect_unauthorized("", "authorization header required");
  expect_unauthorized("Authorization:\r\n", "authorization header required");
  expect_unauthorized("Authorization: Basic eDp5\r\n", "invalid authorization header format");
  expect_unauthorized("Authorization: Bearer\r\n", "invalid authorization header format");
  expect_unauthorized("Authorization: Bearer \r\n", "invalid authorization header format");
  expect_unauthorized(fmt::format("Authorization: {}\r\n", plain_token),
                      "invalid authorization header format");
  expect_unauthorized(bearer("x"), "invalid token");
  expect_unauthorized(good_key() + good_key(), "invalid authorization header format");
}

TEST_P(KeysTest, AuthenticationComesBeforeTheLookUp) {
  start();
  for (const char* wanted : {web_id, "absent", "q", "..", "%2e%2e"}) {
    expect_error(testing::get(address(), stats_path(wanted)), 401, "Unauthorized",
                 "security requirements failed: authorization header required");
  }
  for (const char* target : {"/stats", "/metrics"}) {
    expect_error(testing::get(address(), target), 401, "Unauthorized",
                 "security requirements failed: authorization header required");
  }
  tree().vanish();
  expect_error(testing::get(address(), stats_path(web_id)), 401, "Unauthorized",
               "security requirements failed: authorization header required");
}

TEST_P(KeysTest, AcceptsHypemansKeys) {
  start();
  const std::string times =
      fmt::format(R"("iat":{},"exp":{})", seconds_from_now(-10), seconds_from_now(3600));
  expect_stats(claim(fmt::format(R"({{"sub":"me",{}}})", times)), web_id);
  expect_stats(claim(R"({"sub":"me","iat":1})"), web_id);
  expect_stats(claim(R"({"permissions":["instance:read"]})"), web_id);
  expect_stats(claim(R"({"permissions":["volume:read","*"]})"), web_id);
  expect_stats(
      show(bearer(signed_token(R"({"alg":"HS384","typ":"JWT"})", "{}", jwt_secret, "SHA384"))),
      web_id);
  expect_stats(
      show(bearer(signed_token(R"({"alg":"HS512","typ":"JWT"})", "{}", jwt_secret, "SHA512"))),
      web_id);
  expect_stats(show("authorization: bearer " + hs256_token("{}", jwt_secret) + "\r\n"), web_id);
}

TEST_P(KeysTest, AcceptsPlainTokens) {
  start();
  expect_stats(show(bearer(plain_token)), web_id);
  expect_unauthorized(bearer("# for monitoring"), "invalid token");
  expect_unauthorized(bearer(std::string{plain_token} + "x"), "invalid token");
}

TEST_P(KeysTest, RefusesForgedAndOldTokens) {
  start();
  const std::string claims = R"({"sub":"me"})";
  const std::string good = hs256_token(claims, jwt_secret);
  const auto unsigned_token = [&](const std::string& alg) {
    return base64url(fmt::format(R"({{"alg":"{}","typ":"JWT"}})", alg)) + "." + base64url(claims) +
           ".";
  };
  for (const char* alg : {"none", "None", "NONE", "HS256", "RS256", "ES256", ""}) {
    expect_unauthorized(bearer(unsigned_token(alg)), "invalid token");
    expect_unauthorized(
        bearer(signed_token(fmt::format(R"({{"alg":"{}1"}})", alg), claims, jwt_secret)),
        "invalid token");
  }
  expect_unauthorized(bearer(signed_token(R"({"alg":"RS256","typ":"JWT"})", claims, jwt_secret)),
                      "invalid token");
  expect_unauthorized(bearer(signed_token(R"({"alg":"HS512","typ":"JWT"})", claims, jwt_secret)),
                      "invalid token");
  expect_unauthorized(bearer(hs256_token(claims, "another secret")), "invalid token");
  expect_unauthorized(bearer(hs256_token(claims, std::string{jwt_secret} + "\n")), "invalid token");
  expect_unauthorized(bearer(hs256_token(claims, "")), "invalid token");
  for (const std::size_t size :
       {std::size_t{1}, good.find('.'), good.rfind('.'), good.size() - 1}) {
    expect_unauthorized(bearer(good.substr(0, size)), "invalid token");
  }
  for (const std::string& bad :
       {fmt::format(R"({{"exp":{}}})", seconds_from_now(-1)), std::string{R"({"exp":"never"})"},
        fmt::format(R"({{"nbf":{}}})", seconds_from_now(3600)), std::string{"[]"},
        std::string{""}}) {
    expect_unauthorized(bearer(hs256_token(bad, jwt_secret)), "invalid token");
  }
}

TEST_P(KeysTest, RefusesRegistryTokens) {
  start();
  for (const char* claims :
       {R"({"repos":["x"]})", R"({"repos":null})", R"({"scope":null})", R"({"scope":"push"})",
        R"({"build_id":null})", R"({"build_id":"b"})"}) {
    expect_unauthorized(bearer(hs256_token(claims, jwt_secret)), "invalid token type");
  }
  expect_stats(claim(R"({"sub":"builder-7"})"), web_id);
}

TEST_P(KeysTest, RefusesKeysWithoutTheScope) {
  start();
  for (const char* claims :
       {R"({"permissions":[]})", R"({"permissions":["instance:write"]})", R"({"permissions":null})",
        R"({"permissions":"*"})", R"({"permissions":["*",7]})"}) {
    SCOPED_TRACE(claims);
    const std::string key = bearer(hs256_token(claims, jwt_secret));
    for (const std::string& target :
         {stats_path(web_id), std::string{"/stats"}, std::string{"/metrics"}}) {
      expect_error(testing::get(address(), target, key), 403, "Forbidden",
                   "missing required scope: instance:read");
    }
  }
}

TEST_P(KeysTest, TheKeyIsCheckedOnEveryRequestOfAConnection) {
  start();
  HttpClient client{address()};
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
  EXPECT_EQ(client.get(stats_path(web_id))->status, 401);
  expect_stats(client.get(stats_path(web_id), bearer(plain_token)), web_id);
  EXPECT_EQ(client.get(stats_path(web_id), bearer("x"))->status, 401);
  EXPECT_EQ(client.get(stats_path(web_id), bearer("x"))->status, 401);
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
}

TEST_P(KeysTest, WithoutAuthenticationServesAllClients) {
  start_without_keys();
  expect_stats(show(""), web_id);
  expect_stats(show("Authorization: Basic eDp5\r\n"), web_id);
}

TEST_P(KeysTest, ReadsTheSecretFromHypemansConfig) {
  const std::string config = path_of("config.yaml");
  write_file(config, "data_dir: /var/lib/hypeman\njwt_secret: from the config\n");
  start_exactly(
      {"--listen", "127.0.0.1:0", "--hypeman-config", config, "--stats-dir", tree().directory()});
  expect_stats(show(bearer(hs256_token("{}", "from the config"))), web_id);
  expect_unauthorized(good_key(), "invalid token");
  expect_unauthorized(bearer(plain_token), "invalid token");
}

TEST_P(KeysTest, SighupReadsTheKeysAgain) {
  start();
  HttpClient client{address()};
  const auto status_with = [&](const std::string& key) {
    return client.get(stats_path(web_id), key)->status;
  };
  EXPECT_EQ(status_with(good_key()), 200);
  EXPECT_EQ(status_with(bearer("new-token")), 401);

  write_file(secret_file(), "a new secret\n");
  write_file(token_file(), "new-token\n");
  bridge().signal(SIGHUP);
  ASSERT_TRUE(bridge().logs("read the key files again"));
  EXPECT_EQ(status_with(good_key()), 401);
  EXPECT_EQ(status_with(bearer(plain_token)), 401);
  EXPECT_EQ(status_with(bearer("new-token")), 200);
  EXPECT_EQ(status_with(bearer(hs256_token("{}", "a new secret"))), 200);

  write_file(secret_file(), "\n");
  bridge().signal(SIGHUP);
  ASSERT_TRUE(bridge().logs("the bridge keeps the current keys"));
  EXPECT_EQ(status_with(bearer(hs256_token("{}", "a new secret"))), 200);
  std::filesystem::remove(secret_file());
  bridge().signal(SIGHUP);
  EXPECT_EQ(status_with(bearer(hs256_token("{}", "a new secret"))), 200);
}

TEST_P(KeysTest, NeverLogsAKey) {
  ::chmod(secret_file().c_str(), 0644);
  start();
  const std::string token = hs256_token(R"({"sub":"me"})", jwt_secret);
  const std::string wrong = hs256_token(R"({"sub":"me"})", "wrong");
  for (const std::string& shown : {token, wrong, std::string{plain_token}}) {
    static_cast<void>(show(bearer(shown)));
    static_cast<void>(testing::get(address(), "/nowhere?access_token=" + shown, bearer(shown)));
  }
  bridge().signal(SIGHUP);
  ASSERT_TRUE(bridge().logs("read the key files again"));
  bridge().signal(SIGTERM);
  EXPECT_EQ(bridge().wait(), 0);
  const std::string log = bridge().log();
  for (const std::string& key : {token, wrong, std::string{plain_token}, std::string{jwt_secret},
                                 token.substr(token.rfind('.') + 1)}) {
    EXPECT_EQ(log.find(key), std::string::npos) << log;
  }
  EXPECT_NE(log.find("<4>key file"), std::string::npos) << "no warning about the readable file";
}

TEST_P(KeysTest, WithoutAuthenticationAHostMustBeLoopback) {
  const std::string socket = path_of("socket");
  start_exactly({"--listen", "127.0.0.1:0", "--listen", "unix:" + socket, "--no-auth",
                 "--stats-dir", tree().directory()});
  const auto ask = [&](const std::string& at, const std::string& target, const std::string& host) {
    HttpClient client{at};
    client.send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.receive();
  };
  const std::string unix_address = bridge().address(1);
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.1.2.3:80", "[::1]:1"}) {
    SCOPED_TRACE(host);
    expect_stats(ask(address(), stats_path(web_id), host), web_id);
  }
  for (const char* host : {"rebound.example", "rebound.example:8080", "localhost.example",
                           "127.0.0.1.example", "10.0.0.1", "[::2]", ""}) {
    SCOPED_TRACE(host);
    for (const std::string& target :
         {stats_path(web_id), std::string{"/stats"}, std::string{"/metrics"}}) {
      expect_error(ask(address(), target, host), 421, "misdirected_request",
                   "without keys, the bridge serves only loopback hosts such as localhost");
    }
    expect_stats(ask(unix_address, stats_path(web_id), host), web_id);
  }
  EXPECT_EQ(ask(address(), "http://rebound.example" + stats_path(web_id), "localhost")->status,
            421);
}

INSTANTIATE_TEST_SUITE_P(Trees, KeysTest, ::testing::ValuesIn(served_trees()), name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
