#include "tests/httpbridge/support/bridge_test.hpp"

#include <fmt/format.h>

#include "tests/httpbridge/support/signed_token.hpp"

namespace hypeman::httpbridge::testing {

void BridgeTest::SetUp() {
  if (GetParam().mounts) {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
  }
  tree_ = GetParam().make();
  tree_->add(web_id, web_name);
  tree_->add(db_id, db_name);
  tree_->add(lone_id, lone_name);
  write_file(secret_file(), fmt::format("{}\n", jwt_secret));
  write_file(token_file(), fmt::format("# for monitoring\n\n{}\n", plain_token));
}

std::string BridgeTest::stats_path(const std::string& wanted) {
  return "/instances/" + wanted + "/stats";
}

std::string BridgeTest::bearer(const std::string& token) {
  return "Authorization: Bearer " + token + "\r\n";
}

std::string BridgeTest::good_key() {
  return bearer(hs256_token(R"({"sub":"me"})", jwt_secret));
}

BridgeProcess& BridgeTest::start(const std::vector<std::string>& further) {
  std::vector<std::string> arguments{"--listen",    "127.0.0.1:0",     "--jwt-secret-file",
                                     secret_file(), "--token-file",    token_file(),
                                     "--stats-dir", tree_->directory()};
  arguments.insert(arguments.end(), further.begin(), further.end());
  return start_exactly(arguments);
}

BridgeProcess& BridgeTest::start_without_keys(const std::vector<std::string>& further) {
  std::vector<std::string> arguments{"--listen", "127.0.0.1:0", "--no-auth", "--stats-dir",
                                     tree_->directory()};
  arguments.insert(arguments.end(), further.begin(), further.end());
  return start_exactly(arguments);
}

BridgeProcess& BridgeTest::start_exactly(const std::vector<std::string>& arguments,
                                         UniqueFd activated, BridgeProcess::Rights rights) {
  bridge_ = std::make_unique<BridgeProcess>(arguments, std::move(activated), rights);
  address_ = bridge_->address();
  return *bridge_;
}

std::optional<Response> BridgeTest::get(const std::string& target) const {
  return testing::get(address_, target, good_key());
}

void BridgeTest::expect_stats(const std::optional<Response>& response, const std::string& id) {
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("content-type"), "application/json");
  EXPECT_EQ(response->header("cache-control"), "no-store");
  EXPECT_EQ(response->body, tree_->stats_of(id));
  EXPECT_NE(response->body.find('"' + id + '"'), std::string::npos);
}

void BridgeTest::expect_error(const std::optional<Response>& response, int status,
                              const std::string& code, const std::string& message) {
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, status);
  EXPECT_EQ(response->header("content-type"), "application/json");
  EXPECT_EQ(response->header("cache-control"), "no-store");
  EXPECT_EQ(response->body, fmt::format(R"({{"code":"{}","message":"{}"}})", code, message));
  EXPECT_EQ(response->header("retry-after"), status == 503 ? "1" : "");
}

}  // namespace hypeman::httpbridge::testing
