#include "httpbridge/http/host.hpp"

#include <gtest/gtest.h>

#include "httpbridge/http/route.hpp"

namespace hypeman::httpbridge {
namespace {

TEST(LoopbackHost, IsThisHost) {
  for (const char* host : {"localhost", "LocalHost", "localhost:8080", "127.0.0.1", "127.0.0.1:80",
                           "127.255.255.254", "[::1]", "[::1]:65535"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
}

TEST(LoopbackHost, IsNoOtherName) {
  for (const char* host : {"",
                           ":",
                           ":80",
                           "localhost:",
                           "localhost:x",
                           "localhost:65536",
                           "localhost.example",
                           "xlocalhost",
                           "127.0.0.1.example",
                           "127.0.0.1:80:80",
                           "127.1",
                           "0.0.0.0",
                           "128.0.0.1",
                           "0x7f.0.0.1",
                           "::1",
                           "[::1",
                           "[::]",
                           "[::2]:80",
                           "[::ffff:10.0.0.1]",
                           "a@localhost"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(AuthorityOf, IsThatOfTheAbsoluteForm) {
  EXPECT_EQ(authority_of("http://host:1/path"), "host:1");
  EXPECT_EQ(authority_of("HTTP://host?x"), "host");
  EXPECT_EQ(authority_of("http://host"), "host");
  EXPECT_EQ(authority_of("/path"), "");
}

}  // namespace
}  // namespace hypeman::httpbridge
