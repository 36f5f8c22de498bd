// Fails on purpose, with messages that contain all kinds of bytes. The test "count_tests" runs this
// program and checks how its failures are counted.
#include <iostream>
#include <string>

#include <gtest/gtest.h>

namespace {

std::string every_byte() {
  std::string text;
  for (int byte = 0; byte < 256; ++byte) {
    text += static_cast<char>(byte);
  }
  return text;
}

TEST(Planted, Passes) {}

TEST(Planted, FailsWithEveryByteInItsMessage) {
  std::cout << every_byte() << '\n';
  FAIL() << every_byte() << "]]>";
}

TEST(Planted, FailsToCompareBytesThatAreNoText) {
  EXPECT_EQ(std::string("\xff\xfe\x01"), std::string("\x80\x1b[0m"));
}

TEST(Planted, IsSkippedWithBytesThatAreNoText) {
  GTEST_SKIP() << every_byte();
}

TEST(Planted, DISABLED_IsRunByHand) {}

}  // namespace
