// HTTP: methods, framing and persistent connections.

#include "tests/httpbridge/support/bridge_test.hpp"

namespace hypeman::httpbridge::testing {
namespace {

class HttpTest : public BridgeTest {
 protected:
  [[nodiscard]] std::optional<Response> exchange(const std::string& bytes) const {
    HttpClient client{address()};
    client.send(bytes);
    return client.receive();
  }
};

TEST_P(HttpTest, HeadRepliesLikeGetWithoutABody) {
  start();
  HttpClient client{address()};
  for (const std::string& target :
       {stats_path(web_id), std::string{"/stats"}, std::string{"/metrics"}, std::string{"/healthz"},
        stats_path("absent")}) {
    auto by_get = client.get(target, good_key());
    auto by_head = client.request("HEAD", target, good_key());
    ASSERT_TRUE(by_get && by_head);
    EXPECT_EQ(by_head->status, by_get->status);
    by_get->headers.erase("date");
    by_head->headers.erase("date");
    EXPECT_EQ(by_head->headers, by_get->headers);
    EXPECT_EQ(by_head->header("content-length"), std::to_string(by_get->body.size()));
  }
}

TEST_P(HttpTest, OtherMethodsAreNotAllowed) {
  start();
  HttpClient client{address()};
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"}) {
    for (const std::string& target : {stats_path(web_id), std::string{"/stats"},
                                      std::string{"/metrics"}, std::string{"/healthz"}}) {
      const auto response = client.request(method, target, good_key());
      expect_error(response, 405, "method_not_allowed", "use GET or HEAD");
      EXPECT_EQ(response->header("allow"), "GET, HEAD");
    }
    EXPECT_EQ(client.request(method, "/nowhere", good_key())->status, 404);
  }
}

TEST_P(HttpTest, ConnectionsAreKeptAlive) {
  start();
  HttpClient client{address()};
  for (int i = 0; i < 100; ++i) {
    expect_stats(client.get(stats_path(web_id), good_key()), web_id);
  }
  const auto last = client.get(stats_path(web_id), good_key() + "Connection: close\r\n");
  expect_stats(last, web_id);
  EXPECT_EQ(last->header("connection"), "close");
  EXPECT_TRUE(client.ends());
}

TEST_P(HttpTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  HttpClient client{address()};
  constexpr int rounds = 50;
  std::string requests;
  for (int i = 0; i < rounds; ++i) {
    requests += "GET " + stats_path(web_id) + " HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n";
    requests += "GET " + stats_path("absent") + " HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n";
    requests += "GET " + stats_path(lone_name) + " HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n";
  }
  client.send(requests);
  for (int i = 0; i < rounds; ++i) {
    expect_stats(client.receive(), web_id);
    EXPECT_EQ(client.receive()->status, 404);
    expect_stats(client.receive(), lone_id);
  }
}

TEST_P(HttpTest, Http10ClosesTheConnectionByDefault) {
  start();
  HttpClient closing{address()};
  closing.send("GET " + stats_path(web_id) + " HTTP/1.0\r\n" + good_key() + "\r\n");
  const auto closed = closing.receive();
  expect_stats(closed, web_id);
  EXPECT_EQ(closed->header("connection"), "close");
  EXPECT_TRUE(closing.ends());

  HttpClient keeping{address()};
  for (int i = 0; i < 3; ++i) {
    keeping.send("GET " + stats_path(web_id) + " HTTP/1.0\r\nConnection: keep-alive\r\n" +
                 good_key() + "\r\n");
    const auto kept = keeping.receive();
    expect_stats(kept, web_id);
    EXPECT_EQ(kept->header("connection"), "keep-alive");
  }
}

TEST_P(HttpTest, InvalidHttpIsABadRequest) {
  start();
  for (const char* bytes :
       {"\r\n\r\n\r\n\r\nx\r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n",
        "GET /metrics HTTP/2.0\r\n\r\n", "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost x\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /met rics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): two lines of one request
        "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        "\r\n0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n"}) {
    SCOPED_TRACE(bytes);
    const auto response = exchange(bytes);
    expect_error(response, 400, "bad_request", "the request is not valid HTTP");
    EXPECT_EQ(response->header("connection"), "close");
  }
  using std::string_literals::operator""s;
  const auto nul = "GET /metrics\0 HTTP/1.1\r\nHost: x\r\n\r\n"s;
  EXPECT_EQ(exchange(nul)->status, 400);
}

TEST_P(HttpTest, AmbiguousFramingIsRefusedAndTheConnectionClosed) {
  start();
  const std::string smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const char* framing :
       {"HTTP/1.1\r\nTransfer-Encoding: identity", "HTTP/1.1\r\nTransfer-Encoding: gzip",
        "HTTP/1.1\r\nTransfer-Encoding: chunked, gzip",
        "HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", "HTTP/1.1\r\nTransfer-Encoding: chunked;x",
        "HTTP/1.1\r\nTransfer-Encoding: xchunked", "HTTP/1.1\r\nTransfer-Encoding:",
        "HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "HTTP/1.1\r\nTransfer-Encoding: gzip\r\nContent-Length: 5",
        "HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: gzip",
        "HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
        "HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: identity"}) {
    SCOPED_TRACE(framing);
    HttpClient client{address()};
    client.send("GET /healthz " + std::string{framing} + "\r\nHost: x\r\n\r\n0\r\n\r\n" + smuggled);
    const auto response = client.receive();
    expect_error(response, 400, "bad_request", "the request is not valid HTTP");
    EXPECT_EQ(response->header("connection"), "close");
    EXPECT_FALSE(client.receive().has_value()) << "the body was parsed as a request";
  }
}

TEST_P(HttpTest, AnExpectationIsAnsweredBeforeTheBodyArrives) {
  start({"--request-timeout", "2"});
  for (const char* framing : {"Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"}) {
    HttpClient client{address()};
    client.send("GET " + stats_path(web_id) + " HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n" +
                framing + good_key() + "\r\n");
    const auto response = client.receive();
    expect_stats(response, web_id);
    EXPECT_EQ(response->header("connection"), "close");
    EXPECT_TRUE(client.ends());
  }
  // Without a body there is nothing to wait for, and the connection stays open.
  HttpClient client{address()};
  for (int i = 0; i < 2; ++i) {
    expect_stats(client.get(stats_path(web_id), good_key() + "Expect: 100-continue\r\n"), web_id);
  }
}

TEST_P(HttpTest, EmptyLinesBeforeARequestAreSkipped) {
  start();
  HttpClient client{address()};
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send("\r\n" + request + "\r\n\r\n" + request);
  EXPECT_EQ(client.receive()->status, 200);
  EXPECT_EQ(client.receive()->status, 200);
  for (const char* part : {"\r", "\n", "\r\n\r", "\n"}) {
    client.send(part);
    EXPECT_EQ(get("/healthz")->status, 200);
  }
  client.send(request);
  EXPECT_EQ(client.receive()->status, 200);

  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "\r\n";
  }
  EXPECT_EQ(exchange(many + request)->status, 400);
}

TEST_P(HttpTest, TheSchemeOfAnAbsoluteTargetMayHaveAnyCase) {
  start();
  HttpClient client{address()};
  for (const char* scheme : {"http", "HTTP", "Http"}) {
    expect_stats(client.get(std::string{scheme} + "://any:1" + stats_path(web_id), good_key()),
                 web_id);
  }
}

TEST_P(HttpTest, ASmallBodyIsIgnored) {
  start();
  HttpClient client{address()};
  client.send("GET " + stats_path(web_id) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" +
              good_key() + "\r\nbody");
  expect_stats(client.receive(), web_id);
  client.send("GET " + stats_path(web_id) +
              " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + good_key() +
              "\r\n4\r\nbody\r\n0\r\n\r\n");
  expect_stats(client.receive(), web_id);
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
}

TEST_P(HttpTest, LargeBodiesHeadersAndTargetsAreRefused) {
  start();
  const std::string request_line = "GET /metrics HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(exchange(request_line + "Content-Length: 100000000\r\n\r\n")->status, 413);
  std::string chunks = request_line + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10; ++i) {
    chunks += "400\r\n" + std::string(0x400, 'x') + "\r\n";
  }
  EXPECT_EQ(exchange(chunks)->status, 413);
  EXPECT_EQ(exchange(request_line + "X: " + std::string(20000, 'x') + "\r\n\r\n")->status, 431);
  EXPECT_EQ(exchange(request_line + "X: " + std::string(1 << 20, 'x') + "\r\n\r\n")->status, 431);
  EXPECT_EQ(exchange("GET /" + std::string(5000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n")->status,
            414);
  EXPECT_EQ(exchange("GET /" + std::string(1 << 20, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n")->status,
            414);
}

INSTANTIATE_TEST_SUITE_P(Trees, HttpTest, ::testing::ValuesIn(served_trees()), name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
