#include "fs/tree/stat_cache.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

using fs::Content;
using fs::Inode;
using fs::StatCache;

constexpr pid_t reader = 1234;
constexpr Inode inode = 0xabc0;

/// A content whose sample has this age.
Content content(const std::string& text, std::chrono::milliseconds age = {}) {
  return {.text = text, .time = std::chrono::system_clock::now() - age};
}

/// The text that take() returns, or nothing.
std::optional<std::string> taken(StatCache& cache, pid_t who = reader, Inode where = inode) {
  const auto found = cache.take(who, where);
  return found ? std::optional{found->text} : std::nullopt;
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

TEST(StatCache, GivesTheReaderTheContentOfItsLastStat) {
  StatCache cache;
  Content told;
  std::optional<Content> found;
  EXPECT_TRUE(is_taken(
      [&] {
        told = content("29.94\n");
        cache.keep(reader, inode, told);
      },
      [&] { return found = cache.take(reader, inode); }));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text, "29.94\n");
  EXPECT_EQ(found->time, told.time);
}

TEST(StatCache, GivesAContentOnce) {
  StatCache cache;
  EXPECT_TRUE(
      is_taken([&] { cache.keep(reader, inode, content("old")); }, [&] { return taken(cache); }));
  EXPECT_EQ(taken(cache), std::nullopt);
}

TEST(StatCache, GivesNothingToAnotherReader) {
  StatCache cache;
  cache.keep(reader, inode, content("old"));
  EXPECT_EQ(taken(cache, reader + 1), std::nullopt);
}

TEST(StatCache, KeepsNothingForReaderZero) {
  StatCache cache;
  cache.keep(0, inode, content("old"));
  EXPECT_EQ(taken(cache, 0), std::nullopt);
}

TEST(StatCache, GivesNothingForAnotherFile) {
  StatCache cache;
  cache.keep(reader, inode, content("old"));
  EXPECT_EQ(taken(cache, reader, inode + 1), std::nullopt);
}

TEST(StatCache, NextStatReplacesTheContent) {
  StatCache cache;
  EXPECT_TRUE(is_taken(
      [&] {
        cache.keep(reader, inode, content("old"));
        cache.keep(reader, inode, content("new"));
      },
      [&] {
        auto text = taken(cache);
        EXPECT_NE(text, "old");
        return text;
      }));
}

TEST(StatCache, ForgetsAContentAfterTwentyMilliseconds) {
  StatCache cache;
  cache.keep(reader, inode, content("old", std::chrono::milliseconds{21}));
  EXPECT_EQ(taken(cache), std::nullopt);
}

TEST(StatCache, ForgetsAContentIfTheClockIsSetBack) {
  StatCache cache;
  cache.keep(reader, inode, content("old", -std::chrono::hours{1}));
  EXPECT_EQ(taken(cache), std::nullopt);
}

TEST(StatCache, KeepsContentsForTheLast64Readers) {
  StatCache cache;
  std::optional<std::string> second;
  EXPECT_TRUE(eventually([&] {
    for (pid_t who = reader; who <= reader + 64; ++who) {
      cache.keep(who, inode, content(std::to_string(who)));
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
    cache.keep(reader, inode, content("first"));
    cache.keep(reader + 1, inode, content("second"));
    first = taken(cache, reader);
    second = taken(cache, reader + 1);
    return first && second;
  }));
  EXPECT_EQ(first, "first");
  EXPECT_EQ(second, "second");
}

}  // namespace
}  // namespace hypeman::tests
