#include "tests/support/eventually.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(Eventually, RetriesUntilItIsTrue) {
  int asked = 0;
  EXPECT_TRUE(eventually([&asked] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

TEST(Eventually, GivesUp) {
  EXPECT_FALSE(eventually([] { return false; }, std::chrono::milliseconds(20)));
}

}  // namespace
}  // namespace hypeman::tests
