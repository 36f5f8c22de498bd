#include "fs/tree/told_contents.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

using fs::Content;
using fs::Inode;
using fs::RecentContents;

constexpr pid_t reader = 1234;
constexpr Inode inode = 0xabc0;

/// A content whose sample was taken so long ago.
Content content(const std::string& text, std::chrono::milliseconds age = {}) {
  return {.text = text, .time = std::chrono::system_clock::now() - age};
}

/// The text that is taken; nothing if nothing is.
std::optional<std::string> taken(RecentContents& recent, pid_t who = reader, Inode where = inode) {
  const auto found = recent.take(who, where);
  return found ? std::optional{found->text} : std::nullopt;
}

/// Whether what `remember` remembers can be taken by `take`: at once, but on a busy machine it
/// may take several attempts to be fast enough.
template <class Remember, class Take>
bool is_taken(Remember remember, Take take) {
  return eventually([&] {
    remember();
    return take().has_value();
  });
}

TEST(RecentContents, KnowNothingAtFirst) {
  RecentContents recent;
  EXPECT_EQ(taken(recent), std::nullopt);
  EXPECT_EQ(taken(recent, 0, 0), std::nullopt);
}

TEST(RecentContents, GiveTheReaderWhatItWasJustToldTheSizeOf) {
  RecentContents recent;
  Content told;
  std::optional<Content> found;
  EXPECT_TRUE(is_taken(
      [&] {
        told = content("29.94\n");
        recent.remember(reader, inode, told);
      },
      [&] { return found = recent.take(reader, inode); }));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text, "29.94\n");
  EXPECT_EQ(found->time, told.time);
}

TEST(RecentContents, AreGivenOnce) {
  RecentContents recent;
  EXPECT_TRUE(is_taken([&] { recent.remember(reader, inode, content("old")); },
                       [&] { return taken(recent); }));
  EXPECT_EQ(taken(recent), std::nullopt);
}

TEST(RecentContents, AreForNobodyElse) {
  RecentContents recent;
  recent.remember(reader, inode, content("old"));
  EXPECT_EQ(taken(recent, reader + 1), std::nullopt);
}

TEST(RecentContents, AreForNoReaderThatCannotBeTold) {
  RecentContents recent;
  recent.remember(0, inode, content("old"));
  EXPECT_EQ(taken(recent, 0), std::nullopt);
}

TEST(RecentContents, AreForNoOtherFile) {
  RecentContents recent;
  recent.remember(reader, inode, content("old"));
  EXPECT_EQ(taken(recent, reader, inode + 1), std::nullopt);
}

TEST(RecentContents, AreReplacedByTheNext) {
  RecentContents recent;
  EXPECT_TRUE(is_taken(
      [&] {
        recent.remember(reader, inode, content("old"));
        recent.remember(reader, inode, content("new"));
      },
      [&] {
        auto text = taken(recent);
        EXPECT_NE(text, "old");
        return text;
      }));
}

TEST(RecentContents, AreForgottenTwentyMillisecondsAfterTheSample) {
  RecentContents recent;
  recent.remember(reader, inode, content("old", std::chrono::milliseconds{21}));
  EXPECT_EQ(taken(recent), std::nullopt);
}

TEST(RecentContents, OfAClockThatHasBeenSetBackAreForgotten) {
  RecentContents recent;
  recent.remember(reader, inode, content("old", -std::chrono::hours{1}));
  EXPECT_EQ(taken(recent), std::nullopt);
}

TEST(RecentContents, AreThoseOfTheLast64Readers) {
  RecentContents recent;
  std::optional<std::string> second;
  EXPECT_TRUE(eventually([&] {
    for (pid_t who = reader; who <= reader + 64; ++who) {
      recent.remember(who, inode, content(std::to_string(who)));
    }
    EXPECT_EQ(taken(recent, reader), std::nullopt) << "of 65 the first is forgotten";
    second = taken(recent, reader + 1);
    return second.has_value();
  }));
  EXPECT_EQ(second, std::to_string(reader + 1));
}

TEST(RecentContents, OfDifferentReadersAreKeptApart) {
  RecentContents recent;
  std::optional<std::string> first;
  std::optional<std::string> second;
  EXPECT_TRUE(eventually([&] {
    recent.remember(reader, inode, content("first"));
    recent.remember(reader + 1, inode, content("second"));
    first = taken(recent, reader);
    second = taken(recent, reader + 1);
    return first && second;
  }));
  EXPECT_EQ(first, "first");
  EXPECT_EQ(second, "second");
}

}  // namespace
}  // namespace hypeman::tests
