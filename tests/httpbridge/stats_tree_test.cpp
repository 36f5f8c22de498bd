#include "httpbridge/stats_tree.hpp"

#include <sys/stat.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "httpbridge/held_descriptors.hpp"
#include "tests/httpbridge/support/temporary_directory.hpp"

namespace hypeman::httpbridge {
namespace {

namespace fs = std::filesystem;
using testing::write_file;

/// What a tree that nobody should trust could hold. What a good one holds, the end-to-end tests
/// show.
class StatsTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root() / "by-name");
    fs::create_directory(root() / "good1");
    write_file(root() / "good1" / "stats.json", "good");
    fs::create_directory(outside());
    write_file(outside() / "stats.json", "outside");
  }

  [[nodiscard]] fs::path root() const { return place_.path() / "tree"; }
  [[nodiscard]] fs::path outside() const { return place_.path() / "outside"; }

  [[nodiscard]] tl::expected<std::string, ReadFailure> read(const std::string& wanted) {
    return tree_.read({ResourceKind::instance_stats, wanted});
  }
  void expect_failure(const std::string& wanted, ReadFailure failure) {
    const auto result = read(wanted);
    ASSERT_FALSE(result.has_value()) << wanted << ": " << *result;
    EXPECT_EQ(result.error(), failure) << wanted;
  }

 private:
  testing::TemporaryDirectory place_;
  StatsTree tree_{root(), 16};
};

TEST_F(StatsTreeTest, ReadsWhatIsThere) {
  EXPECT_EQ(read("good1"), "good");
}

TEST_F(StatsTreeTest, FollowsNoLinkOutOfTheTree) {
  fs::create_directory_symlink(outside(), root() / "linkdir1");
  fs::create_directory_symlink("../outside", root() / "linkdir2");
  fs::create_directory(root() / "linkfile1");
  fs::create_symlink(outside() / "stats.json", root() / "linkfile1" / "stats.json");
  fs::create_directory(root() / "inner1");
  fs::create_symlink("../good1/stats.json", root() / "inner1" / "stats.json");
  for (const char* id : {"linkdir1", "linkdir2", "linkfile1", "inner1", "linkd", "linkf"}) {
    expect_failure(id, ReadFailure::not_found);
  }
}

TEST_F(StatsTreeTest, TakesByNameLinksOfTheDocumentedFormOnly) {
  fs::create_symlink("../good1", root() / "by-name" / "right");
  EXPECT_EQ(read("right"), "good");
  int count = 0;
  for (const char* target : {"../../outside", "/etc", "good1", "../good1/", "../good1/.", "../..",
                             "..", "../by-name", "./../good1", "../GOOD1", "../absent1"}) {
    const std::string name = "wrong-" + std::to_string(++count);
    fs::create_symlink(target, root() / "by-name" / name);
    expect_failure(name, ReadFailure::not_found);
  }
  fs::create_symlink(outside() / "stats.json", root() / "by-name" / "file-link");
  expect_failure("file-link", ReadFailure::not_found);
  write_file(root() / "by-name" / "no-link", "../good1");
  expect_failure("no-link", ReadFailure::not_found);
}

TEST_F(StatsTreeTest, DoesNotFollowByNameItself) {
  fs::create_symlink("../good1", outside() / "name");
  fs::remove(root() / "by-name");
  fs::create_directory_symlink(outside(), root() / "by-name");
  expect_failure("name", ReadFailure::unavailable);
}

TEST_F(StatsTreeTest, NeitherBlocksOnNorReadsSpecialFiles) {
  fs::create_directory(root() / "fifo1");
  ASSERT_EQ(::mkfifo((root() / "fifo1" / "stats.json").c_str(), 0600), 0);
  fs::create_directories(root() / "dir1" / "stats.json");
  write_file(root() / "file1", "no directory");
  for (const char* id : {"fifo1", "dir1", "file1", "fil"}) {
    expect_failure(id, ReadFailure::not_found);
  }
}

TEST_F(StatsTreeTest, BoundsWhatItReads) {
  fs::create_directory(root() / "large1");
  write_file(root() / "large1" / "stats.json", std::string(64 << 10, 'x'));
  expect_failure("large1", ReadFailure::failed);
  for (const std::size_t size : {4095U, 4096U, 4097U, 8192U, 65535U}) {
    write_file(root() / "large1" / "stats.json", std::string(size, 'x'));
    EXPECT_EQ(read("large1"), std::string(size, 'x')) << size;
  }
  write_file(root() / "large1" / "stats.json", "");
  expect_failure("large1", ReadFailure::unavailable);
}

TEST_F(StatsTreeTest, PrefersIdToNameToPrefix) {
  for (const char* id : {"abc", "abcd", "abcde", "zzz1"}) {
    fs::create_directory(root() / id);
    write_file(root() / id / "stats.json", id);
  }
  EXPECT_EQ(read("abc"), "abc");
  EXPECT_EQ(read("abcde"), "abcde");
  expect_failure("ab", ReadFailure::ambiguous);
  EXPECT_EQ(read("z"), "zzz1");
  fs::create_symlink("../zzz1", root() / "by-name" / "ab");
  EXPECT_EQ(read("ab"), "zzz1");
  fs::create_symlink("../zzz1", root() / "by-name" / "abc");
  EXPECT_EQ(read("abc"), "abc");
  expect_failure("b", ReadFailure::not_found);
  expect_failure("m", ReadFailure::not_found);
}

TEST_F(StatsTreeTest, TellsAnAbsentTreeFromAnAbsentInstance) {
  expect_failure("absent1", ReadFailure::not_found);
  fs::rename(root(), root().string() + "-away");
  expect_failure("good1", ReadFailure::unavailable);
  fs::create_directory(root());  // as a mount point is without its mount
  expect_failure("good1", ReadFailure::unavailable);
  fs::remove(root());
  write_file(root(), "no directory");
  expect_failure("good1", ReadFailure::unavailable);
  fs::remove(root());
  fs::rename(root().string() + "-away", root());
  EXPECT_EQ(read("good1"), "good");
}

TEST_F(StatsTreeTest, SeesReplacedFilesAndDirectories) {
  EXPECT_EQ(read("good1"), "good");
  write_file(root() / "good1" / "stats.json", "better");
  EXPECT_EQ(read("good1"), "better");
  fs::remove_all(root() / "good1");
  expect_failure("good1", ReadFailure::not_found);
  fs::create_directory(root() / "good1");
  write_file(root() / "good1" / "stats.json", "new");
  EXPECT_EQ(read("good1"), "new");
}

TEST_F(StatsTreeTest, ReadsMetrics) {
  StatsTree tree{root(), 16};
  const Resource metrics{ResourceKind::metrics, {}};
  EXPECT_EQ(tree.read(metrics), tl::unexpected(ReadFailure::not_found));
  const std::string text(3 << 20, 'm');
  write_file(root() / "metrics.prom", text);
  EXPECT_EQ(tree.read(metrics), text);
}

UniqueFd some_descriptor() {
  return UniqueFd{::dup(STDERR_FILENO)};
}

TEST(HeldDescriptors, AreTakenByOneReaderAtATime) {
  HeldDescriptors held{2};
  EXPECT_FALSE(held.take("a"));
  held.give("a", some_descriptor());
  const UniqueFd taken = held.take("a");
  EXPECT_TRUE(taken);
  EXPECT_FALSE(held.take("a"));
}

TEST(HeldDescriptors, TheLongestUnusedGoesFirst) {
  HeldDescriptors held{2};
  held.give("a", some_descriptor());
  held.give("b", some_descriptor());
  held.give("a", held.take("a"));
  held.give("c", some_descriptor());
  EXPECT_TRUE(held.take("a"));
  EXPECT_FALSE(held.take("b"));
  EXPECT_TRUE(held.take("c"));
}

TEST(HeldDescriptors, ADroppedOneIsGone) {
  HeldDescriptors held{2};
  held.give("a", some_descriptor());
  held.drop("a");
  EXPECT_FALSE(held.take("a"));
  held.drop("never given");
}

}  // namespace
}  // namespace hypeman::httpbridge
