#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/httpbridge/support/bridge_process.hpp"
#include "tests/httpbridge/support/http_client.hpp"
#include "tests/httpbridge/support/served_tree.hpp"
#include "tests/httpbridge/support/temporary_directory.hpp"
#include "tests/support/privileges.hpp"

namespace hypeman::httpbridge::testing {

/// A bridge that serves a tree with a few instances, and valid keys. Each test starts the bridge
/// with its own arguments.
class BridgeTest : public tests::EndToEndTest, public ::testing::WithParamInterface<TreeKind> {
 protected:
  static constexpr const char* web_id = "qilviffnqzck2jrim1x6s2b1";
  static constexpr const char* web_name = "my-web-server";
  static constexpr const char* db_id = "qi5e8o1kd7rmc0v3x9ypt2ws";
  static constexpr const char* db_name = "db";
  static constexpr const char* lone_id = "z0bq7yt2mxw4u8n1c6rd5hs3";
  static constexpr const char* lone_name = "0-lone";
  static constexpr const char* jwt_secret = "the secret of this test";
  static constexpr const char* plain_token = "a-token-for-statistics-only";

  void SetUp() override;

  /// The path of an instance's statistics.
  [[nodiscard]] static std::string stats_path(const std::string& wanted);
  [[nodiscard]] static std::string bearer(const std::string& token);
  /// The header line with a valid JWT.
  [[nodiscard]] static std::string good_key();

  /// Uses a free loopback port, both kinds of keys and the further arguments.
  BridgeProcess& start(const std::vector<std::string>& further = {});
  /// The same with --no-auth instead of keys.
  BridgeProcess& start_without_keys(const std::vector<std::string>& further = {});
  BridgeProcess& start_exactly(const std::vector<std::string>& arguments, UniqueFd activated = {},
                               BridgeProcess::Rights rights = BridgeProcess::Rights::of_the_test);

  [[nodiscard]] ServedTree& tree() { return *tree_; }
  [[nodiscard]] BridgeProcess& bridge() { return *bridge_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::string secret_file() const { return place_.path() / "secret"; }
  [[nodiscard]] std::string token_file() const { return place_.path() / "tokens"; }
  [[nodiscard]] std::string path_of(const std::string& name) const { return place_.path() / name; }

  /// One request on a new connection, with the valid key.
  [[nodiscard]] std::optional<Response> get(const std::string& target) const;

  /// Expects the statistics of this instance.
  void expect_stats(const std::optional<Response>& response, const std::string& id);
  static void expect_error(const std::optional<Response>& response, int status,
                           const std::string& code, const std::string& message);

 private:
  TemporaryDirectory place_;
  std::unique_ptr<ServedTree> tree_;
  std::unique_ptr<BridgeProcess> bridge_;
  std::string address_;
};

}  // namespace hypeman::httpbridge::testing
