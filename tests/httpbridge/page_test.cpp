// The files of the page, as a client gets them. tests/page looks at the page in a browser.

#include <fmt/format.h>

#include "tests/httpbridge/support/bridge_test.hpp"

namespace hypeman::httpbridge::testing {
namespace {

class PageTest : public BridgeTest {};

constexpr const char* place = "/page/place.json";

TEST_P(PageTest, ItsFilesNeedNoKey) {
  start();
  HttpClient client{address()};
  for (const auto& [target, content_type] : {
           std::pair{"/", "text/html; charset=utf-8"},
           std::pair{"/?query", "text/html; charset=utf-8"},
           std::pair{"/page/main.js", "text/javascript; charset=utf-8"},
           std::pair{"/page/style.css", "text/css; charset=utf-8"},
           std::pair{"/page/icon.svg", "image/svg+xml"},
       }) {
    SCOPED_TRACE(target);
    const auto response = client.get(target);
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->header("content-type"), content_type);
    EXPECT_EQ(response->header("x-content-type-options"), "nosniff");
    EXPECT_EQ(response->header("cache-control"), "no-cache");
    const auto policy = response->header("content-security-policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none';")) << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
    EXPECT_FALSE(response->body.empty());
    auto by_head = client.request("HEAD", target);
    ASSERT_TRUE(by_head.has_value());
    EXPECT_EQ(by_head->header("content-length"), std::to_string(response->body.size()));
    EXPECT_EQ(by_head->header("etag"), response->header("etag"));
  }
}

TEST_P(PageTest, AClientKeepsWhatHasNotChanged) {
  start();
  HttpClient client{address()};
  const auto tag = client.get("/page/main.js")->header("etag");
  ASSERT_EQ(tag.size(), 34U) << tag;
  for (const std::string& condition : {tag, "W/" + tag, "\"other\", " + tag, std::string{"*"}}) {
    SCOPED_TRACE(condition);
    client.send(fmt::format("GET /page/main.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: {}\r\n\r\n",
                            condition));
    const auto response = client.receive(/*to_head=*/true);
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 304);
    EXPECT_EQ(response->header("etag"), tag);
  }
  EXPECT_EQ(client.get("/page/main.js", "If-None-Match: \"other\"\r\n")->status, 200);
  EXPECT_EQ(client.get("/", fmt::format("If-None-Match: {}\r\n", tag))->status, 200);
}

TEST_P(PageTest, OtherMethodsAndPathsAreRefused) {
  start();
  HttpClient client{address()};
  for (const char* target : {"/", "/page/main.js", place}) {
    const auto response = client.request("POST", target);
    expect_error(response, 405, "method_not_allowed", "use GET or HEAD");
    EXPECT_EQ(response->header("allow"), "GET, HEAD");
  }
  for (const char* target : {"//", "/%", "/index.html", "/page", "/page/", "/page/index.html",
                             "/page/main.js/", "/page/../page/main.js", "/page/%6dain.js"}) {
    SCOPED_TRACE(target);
    expect_error(client.get(target, good_key()), 404, "not_found", "resource not found");
  }
}

TEST_P(PageTest, ThePlaceOfTheFilesNeedsAKey) {
  start();
  expect_error(testing::get(address(), place), 401, "Unauthorized",
               "security requirements failed: authorization header required");
  const auto response = get(place);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("content-type"), "application/json");
  EXPECT_EQ(response->header("cache-control"), "no-store");
  EXPECT_EQ(response->header("etag"), "");
  EXPECT_EQ(response->body, fmt::format(R"({{"stats_dir":"{}"}})", tree().directory().string()));
}

TEST_P(PageTest, NoPageTurnsItOff) {
  start({"--no-page"});
  HttpClient client{address()};
  for (const char* target : {"/", "/page/main.js", place}) {
    expect_error(client.get(target, good_key()), 404, "not_found", "resource not found");
  }
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
}

TEST_P(PageTest, WithoutKeysAHostMustBeLoopback) {
  start_without_keys();
  HttpClient client{address()};
  client.send("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 421);
  EXPECT_EQ(client.get(place)->status, 200);
}

INSTANTIATE_TEST_SUITE_P(PlainDirectory, PageTest, ::testing::Values(plain_directory()), name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
