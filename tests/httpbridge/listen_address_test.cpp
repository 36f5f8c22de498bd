#include "httpbridge/listen/listen_address.hpp"

#include <string>

#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

TEST(ListenAddress, AcceptsThreeForms) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:8080"),
            ListenAddress{(TcpAddress{"127.0.0.1", "8080"})});
  EXPECT_EQ(parse_listen_address("localhost:0"), ListenAddress{(TcpAddress{"localhost", "0"})});
  EXPECT_EQ(parse_listen_address("[::1]:65535"), ListenAddress{(TcpAddress{"::1", "65535"})});
  EXPECT_EQ(parse_listen_address("unix:/run/x:y"), ListenAddress{UnixAddress{"/run/x:y"}});
}

TEST(ListenAddress, RefusesOtherForms) {
  for (const char* text :
       {"", "8080", "127.0.0.1", ":8080", "[]:1", "::1:80", "host:", "host:x", "host:-1",
        "host:65536", "host:80 ", "unix:", "unix:relative", "[::1]"}) {
    EXPECT_FALSE(parse_listen_address(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_listen_address("unix:/" + std::string(107, 'x')).has_value());
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'x')).has_value());
}

}  // namespace
}  // namespace hypeman::httpbridge
