#include "base/instance_names.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(InstanceId, IsACuid2) {
  for (const auto* text :
       {"qilviffnqzck2jrim1x6s2b1", "a0", "zz", "a1234567890123456789012345678901"}) {
    EXPECT_TRUE(is_instance_id(text)) << text;
  }
}

TEST(InstanceId, IsNothingElse) {
  for (const std::string text :
       {"", "a", "0a", "Aa", "aA", "a-b", "a_b", "a.b", "a b", "a/b", "..", ".", "a\n", "\u00e9a",
        "a12345678901234567890123456789012", "qilviffnqzck2jrim1x6s2b1.fork-bak.17", "by-name",
        "metrics.prom"}) {
    EXPECT_FALSE(is_instance_id(text)) << text;
  }
  EXPECT_FALSE(is_instance_id(std::string_view("ab\0", 3)));
}

TEST(InstanceName, IsADnsLabel) {
  for (const auto& text :
       {std::string{"a"}, std::string{"0"}, std::string{"a-b"}, std::string{"my-web-server"},
        std::string{"a--b"}, std::string(63, 'a')}) {
    EXPECT_TRUE(is_instance_name(text)) << text;
  }
}

TEST(InstanceName, IsNothingElse) {
  for (const auto& text :
       {std::string{}, std::string{"-"}, std::string{"-a"}, std::string{"a-"}, std::string{"A"},
        std::string{"a_b"}, std::string{"a.b"}, std::string{"."}, std::string{".."},
        std::string{"a/b"}, std::string{"a b"}, std::string{"a\n"}, std::string{"\u00e9"},
        std::string(64, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(is_instance_name(text)) << text;
  }
}

TEST(InstanceIdPrefix, IsTheBeginningOfAnId) {
  for (const auto* text :
       {"q", "qi", "qilviffnqzck2jrim1x6s2b1", "a1234567890123456789012345678901"}) {
    EXPECT_TRUE(is_instance_id_prefix(text)) << text;
  }
  for (const auto* text : {"", "0", "Q", "-", "..", "q-", "a12345678901234567890123456789012"}) {
    EXPECT_FALSE(is_instance_id_prefix(text)) << text;
  }
}

}  // namespace
}  // namespace hypeman::tests
