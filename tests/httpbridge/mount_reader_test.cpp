#include "httpbridge/mount/mount_reader.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "httpbridge/http/limits.hpp"
#include "httpbridge/http/statistics.hpp"
#include "httpbridge/mount/descriptor_cache.hpp"
#include "tests/httpbridge/support/temporary_directory.hpp"

namespace hypeman::httpbridge {
namespace {

namespace fs = std::filesystem;
using testing::write_file;

/// Trees with untrusted content. The end-to-end tests cover correct trees.
class MountReaderTest : public ::testing::Test {
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

  /// As the bridge does it for an ID, a name or a prefix.
  [[nodiscard]] tl::expected<std::string, ReadError> read(const std::string& wanted) {
    boost::asio::io_context loop;
    Statistics statistics{
        loop,
        {[this](const Route& route) { return reader_.read_stats(route.instance); },
         [this](const Route& route) { return reader_.find(route.instance); },
         [this](const Route& /*route*/) { return reader_.list_ids(); }},
        Limits{}};
    const auto work = boost::asio::make_work_guard(loop);
    tl::expected<std::string, ReadError> text = tl::unexpected(ReadError::failed);
    boost::asio::co_spawn(loop.get_executor(), statistics.read({RouteKind::instance_stats, wanted}),
                          [&](const std::exception_ptr&, const ReadPool::Result& result) {
                            text = result.map([](const Body& body) { return *body; });
                            loop.stop();
                          });
    loop.run();
    return text;
  }
  void expect_failure(const std::string& wanted, ReadError failure) {
    const auto result = read(wanted);
    ASSERT_FALSE(result.has_value()) << wanted << ": " << *result;
    EXPECT_EQ(result.error(), failure) << wanted;
  }

 private:
  testing::TemporaryDirectory place_;
  MountReader reader_{root(), 16};
};

TEST_F(MountReaderTest, ReadsAnInstance) {
  EXPECT_EQ(read("good1"), "good");
}

TEST_F(MountReaderTest, FollowsNoLinkOutOfTheTree) {
  fs::create_directory_symlink(outside(), root() / "linkdir1");
  fs::create_directory_symlink("../outside", root() / "linkdir2");
  fs::create_directory(root() / "linkfile1");
  fs::create_symlink(outside() / "stats.json", root() / "linkfile1" / "stats.json");
  fs::create_directory(root() / "inner1");
  fs::create_symlink("../good1/stats.json", root() / "inner1" / "stats.json");
  for (const char* id : {"linkdir1", "linkdir2", "linkfile1", "inner1", "linkd", "linkf"}) {
    expect_failure(id, ReadError::not_found);
  }
}

TEST_F(MountReaderTest, UsesOnlyByNameLinksOfTheDocumentedForm) {
  fs::create_symlink("../good1", root() / "by-name" / "right");
  EXPECT_EQ(read("right"), "good");
  int count = 0;
  for (const char* target : {"../../outside", "/etc", "good1", "../good1/", "../good1/.", "../..",
                             "..", "../by-name", "./../good1", "../GOOD1", "../absent1"}) {
    const std::string name = "wrong-" + std::to_string(++count);
    fs::create_symlink(target, root() / "by-name" / name);
    expect_failure(name, ReadError::not_found);
  }
  fs::create_symlink(outside() / "stats.json", root() / "by-name" / "file-link");
  expect_failure("file-link", ReadError::not_found);
  write_file(root() / "by-name" / "no-link", "../good1");
  expect_failure("no-link", ReadError::not_found);
}

TEST_F(MountReaderTest, DoesNotFollowByNameItself) {
  fs::create_symlink("../good1", outside() / "name");
  fs::remove(root() / "by-name");
  fs::create_directory_symlink(outside(), root() / "by-name");
  expect_failure("name", ReadError::unavailable);
}

TEST_F(MountReaderTest, NeitherBlocksOnNorReadsSpecialFiles) {
  fs::create_directory(root() / "fifo1");
  ASSERT_EQ(::mkfifo((root() / "fifo1" / "stats.json").c_str(), 0600), 0);
  fs::create_directories(root() / "dir1" / "stats.json");
  write_file(root() / "file1", "no directory");
  for (const char* id : {"fifo1", "dir1", "file1", "fil"}) {
    expect_failure(id, ReadError::not_found);
  }
}

TEST_F(MountReaderTest, LimitsTheSizeOfAFile) {
  fs::create_directory(root() / "large1");
  write_file(root() / "large1" / "stats.json", std::string(64 << 10, 'x'));
  expect_failure("large1", ReadError::failed);
  for (const std::size_t size : {4095U, 4096U, 4097U, 8192U, 65535U}) {
    write_file(root() / "large1" / "stats.json", std::string(size, 'x'));
    EXPECT_EQ(read("large1"), std::string(size, 'x')) << size;
  }
  write_file(root() / "large1" / "stats.json", "");
  expect_failure("large1", ReadError::unavailable);
}

TEST_F(MountReaderTest, ListsIdsInOrder) {
  for (const char* id : {"zb", "ab", "abc"}) {
    fs::create_directory(root() / id);
  }
  write_file(root() / "file1", "no directory");
  MountReader reader{root(), 16};
  EXPECT_EQ(reader.list_ids(), "ab\nabc\ngood1\nzb\n");
}

TEST_F(MountReaderTest, PrefersIdToNameToPrefix) {
  for (const char* id : {"abc", "abcd", "abcde", "zzz1"}) {
    fs::create_directory(root() / id);
    write_file(root() / id / "stats.json", id);
  }
  EXPECT_EQ(read("abc"), "abc");
  EXPECT_EQ(read("abcde"), "abcde");
  expect_failure("ab", ReadError::ambiguous);
  EXPECT_EQ(read("z"), "zzz1");
  fs::create_symlink("../zzz1", root() / "by-name" / "ab");
  EXPECT_EQ(read("ab"), "zzz1");
  fs::create_symlink("../zzz1", root() / "by-name" / "abc");
  EXPECT_EQ(read("abc"), "abc");
  expect_failure("b", ReadError::not_found);
  expect_failure("m", ReadError::not_found);
}

TEST_F(MountReaderTest, DistinguishesAnAbsentMountFromAnAbsentInstance) {
  expect_failure("absent1", ReadError::not_found);
  fs::rename(root(), root().string() + "-away");
  expect_failure("good1", ReadError::unavailable);
  fs::create_directory(root());  // like a mount point without its mount
  expect_failure("good1", ReadError::unavailable);
  fs::remove(root());
  write_file(root(), "no directory");
  expect_failure("good1", ReadError::unavailable);
  fs::remove(root());
  fs::rename(root().string() + "-away", root());
  EXPECT_EQ(read("good1"), "good");
}

TEST_F(MountReaderTest, SeesReplacedFilesAndDirectories) {
  EXPECT_EQ(read("good1"), "good");
  write_file(root() / "good1" / "stats.json", "better");
  EXPECT_EQ(read("good1"), "better");
  fs::remove_all(root() / "good1");
  expect_failure("good1", ReadError::not_found);
  fs::create_directory(root() / "good1");
  write_file(root() / "good1" / "stats.json", "new");
  EXPECT_EQ(read("good1"), "new");
}

TEST_F(MountReaderTest, ReadsALargeFileAtTheTop) {
  MountReader reader{root(), 16};
  const std::string text(3 << 20, 'm');
  write_file(root() / "metrics.prom", text);
  EXPECT_EQ(reader.read_file("metrics.prom"), text);
}

TEST_F(MountReaderTest, AMissingFileAtTheTopIsUnavailable) {
  MountReader reader{root(), 16};
  EXPECT_EQ(reader.read_file("metrics.prom"), tl::unexpected(ReadError::unavailable));
  write_file(root() / "metrics.prom", "text");
  EXPECT_EQ(reader.read_file("metrics.prom"), "text");
}

TEST(ReadErrors, FollowFromTheErrno) {
  const auto error_of = [](int number) { return classify({number, std::generic_category()}); };
  EXPECT_EQ(error_of(ENOENT), ReadError::not_found);
  EXPECT_EQ(error_of(ENOTUNIQ), ReadError::ambiguous);  // of a name in by-name
  EXPECT_EQ(error_of(EACCES), ReadError::no_permission);
  EXPECT_EQ(error_of(EPERM), ReadError::no_permission);
  EXPECT_EQ(error_of(ENOTCONN), ReadError::unavailable);
  EXPECT_EQ(error_of(EIO), ReadError::failed);
}

UniqueFd some_descriptor() {
  return UniqueFd{::dup(STDERR_FILENO)};
}

TEST(DescriptorCache, GivesADescriptorToOneReaderAtATime) {
  DescriptorCache cache{2};
  EXPECT_FALSE(cache.take("a"));
  cache.put("a", some_descriptor());
  const UniqueFd taken = cache.take("a");
  EXPECT_TRUE(taken);
  EXPECT_FALSE(cache.take("a"));
}

TEST(DescriptorCache, ClosesTheLeastRecentlyUsedFirst) {
  DescriptorCache cache{2};
  cache.put("a", some_descriptor());
  cache.put("b", some_descriptor());
  cache.put("a", cache.take("a"));
  cache.put("c", some_descriptor());
  EXPECT_TRUE(cache.take("a"));
  EXPECT_FALSE(cache.take("b"));
  EXPECT_TRUE(cache.take("c"));
}

TEST(DescriptorCache, GivesTheOldestDescriptorForACheck) {
  DescriptorCache cache{2};
  EXPECT_FALSE(cache.take_oldest().fd);
  cache.put("a", some_descriptor());
  cache.put("b", some_descriptor());
  CachedDescriptor oldest = cache.take_oldest();
  EXPECT_EQ(oldest.id, "a");
  EXPECT_TRUE(oldest.fd);
  EXPECT_FALSE(cache.take_oldest().fd) << "two threads have it";
  cache.put(oldest.id, std::move(oldest.fd));
  EXPECT_EQ(cache.take_oldest().id, "b");
}

TEST(DescriptorCache, RemovesAnErasedEntry) {
  DescriptorCache cache{2};
  cache.put("a", some_descriptor());
  cache.erase("a");
  EXPECT_FALSE(cache.take("a"));
  cache.erase("never given");
}

}  // namespace
}  // namespace hypeman::httpbridge
