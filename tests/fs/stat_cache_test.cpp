#include "fs/tree/stat_cache.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

using fs::Inode;
using fs::StatAnswer;
using fs::StatCache;

constexpr pid_t reader = 1234;
constexpr Inode inode = 0xabc0;

/// An answer of this age.
StatAnswer answer_with(const std::string& text, std::chrono::milliseconds age = {}) {
  return {.content = {.text = text, .time = {}}, .time = StatAnswer::Clock::now() - age};
}

/// The text that take() returns, or nothing.
std::optional<std::string> taken(StatCache& cache, pid_t who = reader, Inode where = inode) {
  const auto found = cache.take(who, where);
  return found ? std::optional{found->content.text} : std::nullopt;
}

/// Whether `take` returns the content that `remember` keeps. Tries several times, because a busy
/// machine may be too slow.
template <class Remember, class Take>
bool is_taken(Remember remember, Take take) {
  return eventually([&] {
    remember();
    return take().has_value();
  });
}

TEST(StatCache, IsEmptyAtFirst) {
  StatCache cache;
  EXPECT_EQ(taken(cache), std::nullopt);
  EXPECT_EQ(taken(cache, 0, 0), std::nullopt);
}

TEST(StatCache, GivesTheReaderTheAnswerOfItsLastStat) {
  StatCache cache;
  StatAnswer told;
  std::optional<StatAnswer> found;
  EXPECT_TRUE(is_taken(
      [&] {
        told = answer_with("29.94\n");
        cache.keep(reader, inode, told);
      },
      [&] { return found = cache.take(reader, inode); }));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->content.text, "29.94\n");
  EXPECT_EQ(found->time, told.time);
}

TEST(StatCache, GivesAAnswerOnce) {
  StatCache cache;
  EXPECT_TRUE(is_taken([&] { cache.keep(reader, inode, answer_with("old")); },
                       [&] { return taken(cache); }));
  EXPECT_EQ(taken(cache), std::nullopt);
}

TEST(StatCache, GivesNothingToAnotherReader) {
  StatCache cache;
  cache.keep(reader, inode, answer_with("old"));
  EXPECT_EQ(taken(cache, reader + 1), std::nullopt);
}

TEST(StatCache, KeepsNothingForReaderZero) {
  StatCache cache;
  cache.keep(0, inode, answer_with("old"));
  EXPECT_EQ(taken(cache, 0), std::nullopt);
}

TEST(StatCache, GivesNothingForAnotherFile) {
  StatCache cache;
  cache.keep(reader, inode, answer_with("old"));
  EXPECT_EQ(taken(cache, reader, inode + 1), std::nullopt);
}

TEST(StatCache, NextStatReplacesTheAnswer) {
  StatCache cache;
  EXPECT_TRUE(is_taken(
      [&] {
        cache.keep(reader, inode, answer_with("old"));
        cache.keep(reader, inode, answer_with("new"));
      },
      [&] {
        auto text = taken(cache);
        EXPECT_NE(text, "old");
        return text;
      }));
}

TEST(StatCache, ForgetsAAnswerAfterTwentyMilliseconds) {
  StatCache cache;
  cache.keep(reader, inode, answer_with("old", std::chrono::milliseconds{21}));
  EXPECT_EQ(taken(cache), std::nullopt);
}

TEST(StatCache, KeepsAnswersForTheLast64Readers) {
  StatCache cache;
  std::optional<std::string> second;
  EXPECT_TRUE(eventually([&] {
    for (pid_t who = reader; who <= reader + 64; ++who) {
      cache.keep(who, inode, answer_with(std::to_string(who)));
    }
    EXPECT_EQ(taken(cache, reader), std::nullopt) << "of 65 the first is forgotten";
    second = taken(cache, reader + 1);
    return second.has_value();
  }));
  EXPECT_EQ(second, std::to_string(reader + 1));
}

TEST(StatCache, SeparatesReaders) {
  StatCache cache;
  std::optional<std::string> first;
  std::optional<std::string> second;
  EXPECT_TRUE(eventually([&] {
    cache.keep(reader, inode, answer_with("first"));
    cache.keep(reader + 1, inode, answer_with("second"));
    first = taken(cache, reader);
    second = taken(cache, reader + 1);
    return first && second;
  }));
  EXPECT_EQ(first, "first");
  EXPECT_EQ(second, "second");
}

}  // namespace
}  // namespace hypeman::tests
