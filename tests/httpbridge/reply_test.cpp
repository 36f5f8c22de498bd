#include "httpbridge/reply.hpp"

#include <gtest/gtest.h>

#include "httpbridge/journal.hpp"

namespace hypeman::httpbridge {
namespace {

TEST(RenderHead, WritesEveryHeaderOnce) {
  const Reply reply = reply_with(ResourceKind::instance_stats, std::make_shared<std::string>("{}"));
  std::string head = "what was there before";
  render_head(reply, {false, true, "DATE"}, head);
  EXPECT_EQ(head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Cache-Control: no-store\r\nDate: DATE\r\n\r\n");
}

TEST(RenderHead, SaysWhatBecomesOfTheConnection) {
  const Reply reply = reply_with(ReadFailure::unavailable);
  std::string head;
  render_head(reply, {false, false, "DATE"}, head);
  EXPECT_NE(head.find("\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"), std::string::npos);
  render_head(reply, {true, true, "DATE"}, head);
  EXPECT_NE(head.find("\r\nConnection: keep-alive\r\n"), std::string::npos);
}

TEST(Printable, LeavesNothingThatCouldForgeALogLine) {
  EXPECT_EQ(printable("/a?b"), "/a?b");
  EXPECT_EQ(printable("a\n<3>b\x1b\x7f\xff\\ "), "a\\x0a<3>b\\x1b\\x7f\\xff\\x5c\\x20");
  EXPECT_EQ(printable(std::string(300, 'a')), std::string(256, 'a') + "...");
}

}  // namespace
}  // namespace hypeman::httpbridge
