#include "base/logging.hpp"

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(Printable, EscapesCharactersThatCouldForgeALogLine) {
  EXPECT_EQ(printable("/a?b"), "/a?b");
  EXPECT_EQ(printable("a\n<3>b\x1b\x7f\xff\\ "), "a\\x0a<3>b\\x1b\\x7f\\xff\\x5c\\x20");
  EXPECT_EQ(printable(std::string(300, 'a')), std::string(256, 'a') + "...");
}

}  // namespace
}  // namespace hypeman::tests
