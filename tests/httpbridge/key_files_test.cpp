#include "httpbridge/auth/key_files.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sysexits.h>

#include "tests/httpbridge/support/temporary_directory.hpp"

namespace hypeman::httpbridge {
namespace {

using testing::write_file;

class KeyFilesTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& text) const {
    const auto path = place_.path() / "keys";
    write_file(path, text);
    return path;
  }
  [[nodiscard]] std::string directory() const { return place_.path(); }

 private:
  testing::TemporaryDirectory place_;
};

int status_of(const tl::expected<Keys, StartupError>& keys) {
  return keys ? EX_OK : keys.error().exit_status;
}

TEST_F(KeyFilesTest, ASecretIsTheFileWithoutItsLastNewline) {
  for (const char* text : {"s e#cret", "s e#cret\n", "s e#cret\r\n"}) {
    const auto keys = load_keys({.jwt_secret_files = {file(text)}});
    ASSERT_TRUE(keys.has_value());
    EXPECT_EQ(keys->jwt_secrets, std::vector<std::string>{"s e#cret"});
  }
}

TEST_F(KeyFilesTest, AByteOrderMarkIsNotAPartOfAKey) {
  const std::string mark = "\xEF\xBB\xBF";
  const auto keys = load_keys({.jwt_secret_files = {file(mark + "secret\n")}});
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(keys->jwt_secrets, std::vector<std::string>{"secret"});
  const auto tokens = load_keys({.token_files = {file(mark + "one\ntwo\n")}});
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->plain_tokens, (std::vector<std::string>{"one", "two"}));
  const auto config = load_keys({.hypeman_configs = {file(mark + "jwt_secret: secret\n")}});
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->jwt_secrets, std::vector<std::string>{"secret"});
}

TEST_F(KeyFilesTest, AnEmptySecretIsRefused) {
  EXPECT_EQ(status_of(load_keys({.jwt_secret_files = {file("")}})), EX_CONFIG);
  EXPECT_EQ(status_of(load_keys({.jwt_secret_files = {file("\n")}})), EX_CONFIG);
}

TEST_F(KeyFilesTest, ReadsTheSecretFromHypemansConfig) {
  const auto keys =
      load_keys({.hypeman_configs = {
                     file("data_dir: /var/lib/hypeman\njwt_secret: \"s: x\"\nport: 8080\n")}});
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(keys->jwt_secrets, std::vector<std::string>{"s: x"});
}

TEST_F(KeyFilesTest, AConfigWithoutTheSecretIsRefused) {
  for (const char* text :
       {"", "port: 8080\n", "jwt_secret:\n", "jwt_secret: ''\n", "jwt_secret: [a]\n",
        "server:\n  jwt_secret: nested\n", "- a\n", "text"}) {
    EXPECT_EQ(status_of(load_keys({.hypeman_configs = {file(text)}})), EX_CONFIG) << text;
  }
}

TEST_F(KeyFilesTest, ErrorsNeverQuoteAKey) {
  const auto keys = load_keys({.hypeman_configs = {file("jwt_secret: \"topsecret\n: [}")}});
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(keys.error().exit_status, EX_CONFIG);
  EXPECT_EQ(keys.error().message.find("topsecret"), std::string::npos) << keys.error().message;
}

TEST_F(KeyFilesTest, ReadsOneTokenPerLine) {
  EXPECT_EQ(parse_tokens("# who\none\n\n  two \r\n\t# x\nthree#3"),
            (std::vector<std::string>{"one", "two", "three#3"}));
  EXPECT_EQ(status_of(load_keys({.token_files = {file("# none yet\n\n")}})), EX_CONFIG);
}

TEST_F(KeyFilesTest, MissingAndSpecialFilesAreErrors) {
  EXPECT_EQ(status_of(load_keys({.token_files = {directory() + "/absent"}})), EX_NOINPUT);
  EXPECT_EQ(status_of(load_keys({.token_files = {directory()}})), EX_CONFIG);
  EXPECT_EQ(status_of(load_keys({.jwt_secret_files = {"/dev/zero"}})), EX_CONFIG);
  EXPECT_EQ(status_of(load_keys({.jwt_secret_files = {file(std::string(2 << 20, 'x'))}})),
            EX_CONFIG);
}

}  // namespace
}  // namespace hypeman::httpbridge
