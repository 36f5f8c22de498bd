#include "fs/tree/reader_memory.hpp"

#include <cerrno>
#include <utility>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"

namespace hypeman::tests {
namespace {

using fs::ReaderMemory;

constexpr uid_t root = 0;
constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;
constexpr uid_t carol = 1002;

TEST(ReaderMemory, LimitsEachUser) {
  ReaderMemory memory{{.of_user = 100, .in_total = 1000}};
  const auto most = memory.take(alice, 60);
  ASSERT_TRUE(most);
  EXPECT_EQ(error_of(memory.take(alice, 41)), ENOBUFS);
  EXPECT_TRUE(memory.take(alice, 40));
  EXPECT_TRUE(memory.take(bob, 100));
  EXPECT_EQ(error_of(memory.take(bob, 101)), ENOBUFS);
}

TEST(ReaderMemory, LimitsAllUsersTogetherButNotRoot) {
  ReaderMemory memory{{.of_user = 100, .in_total = 150}};
  const auto first = memory.take(alice, 100);
  const auto second = memory.take(bob, 50);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(error_of(memory.take(carol, 1)), ENOBUFS);
  EXPECT_TRUE(memory.take(root, 100));
  EXPECT_EQ(error_of(memory.take(root, 101)), ENOBUFS);
}

TEST(ReaderMemory, IsGivenBack) {
  ReaderMemory memory{{.of_user = 100, .in_total = 100}};
  for (int round = 0; round < 3; ++round) {
    auto share = memory.take(alice, 100);
    ASSERT_TRUE(share);
    auto moved = *std::move(share);
    EXPECT_EQ(error_of(memory.take(bob, 1)), ENOBUFS);
    moved = {};
    EXPECT_TRUE(memory.take(bob, 100));
  }
}

}  // namespace
}  // namespace hypeman::tests
