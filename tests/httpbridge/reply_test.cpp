#include "httpbridge/http/reply.hpp"

#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

TEST(WriteHeader, WritesEveryHeaderOnce) {
  const Reply reply = reply_with(RouteKind::instance_stats, std::make_shared<std::string>("{}"));
  std::string head = "what was there before";
  write_header(reply, {false, true, "DATE"}, head);
  EXPECT_EQ(head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Cache-Control: no-store\r\nDate: DATE\r\n\r\n");
}

TEST(ReplyWith, GivesEachRouteItsContentType) {
  const auto type_of = [](RouteKind kind) {
    return reply_with(kind, std::make_shared<std::string>("text")).content_type;
  };
  EXPECT_EQ(type_of(RouteKind::instance_stats), "application/json");
  EXPECT_EQ(type_of(RouteKind::all_stats), "application/json");
  EXPECT_EQ(type_of(RouteKind::metrics), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(type_of(RouteKind::health), "application/json");
}

TEST(WriteHeader, TellsClientsNotToRetryAConflict) {
  std::string head;
  write_header(reply_with(ReadError::ambiguous), {false, true, "DATE"}, head);
  EXPECT_NE(head.find("HTTP/1.1 409 Conflict\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\nx-should-retry: false\r\n"), std::string::npos);
}

TEST(WriteHeader, WritesTheConnectionHeader) {
  const Reply reply = reply_with(ReadError::unavailable);
  std::string head;
  write_header(reply, {false, false, "DATE"}, head);
  EXPECT_NE(head.find("\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"), std::string::npos);
  write_header(reply, {true, true, "DATE"}, head);
  EXPECT_NE(head.find("\r\nConnection: keep-alive\r\n"), std::string::npos);
}

}  // namespace
}  // namespace hypeman::httpbridge
