#include "base/directory.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <dirent.h>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

TEST(ForEachEntry, VisitsEveryEntryExceptDotAndDotDot) {
  const TemporaryDirectory directory;
  write_over(directory.path() / "d/file", "");
  write_over(directory.path() / "d/.hidden", "");
  write_over(directory.path() / "d/directory/inner", "");
  std::filesystem::create_symlink("file", directory.path() / "d/link");
  const auto fd = open_directory(directory.path());
  ASSERT_TRUE(fd);

  std::map<std::string, unsigned char> seen;
  ASSERT_TRUE(for_each_entry(fd->get(), "d", [&](std::string_view name, unsigned char type) {
    seen.emplace(name, type);
    return true;
  }));
  EXPECT_EQ(seen,
            (std::map<std::string, unsigned char>{
                {".hidden", DT_REG}, {"directory", DT_DIR}, {"file", DT_REG}, {"link", DT_LNK}}));
}

TEST(ForEachEntry, VisitsMoreEntriesThanOneSystemCallReturns) {
  constexpr std::size_t count = 3000;
  const TemporaryDirectory directory;
  for (std::size_t i = 0; i < count; ++i) {
    write_over(directory.path() / "d" / (std::string(100, 'x') + std::to_string(i)), "");
  }
  const auto fd = open_directory(directory.path());
  ASSERT_TRUE(fd);
  std::size_t visited = 0;
  ASSERT_TRUE(for_each_entry(
      fd->get(), "d",
      [&](std::string_view /*name*/, unsigned char /*type*/) { return ++visited > 0; }));
  EXPECT_EQ(visited, count);
}

TEST(ForEachEntry, StopsWhenTheVisitorReturnsFalse) {
  const TemporaryDirectory directory;
  write_over(directory.path() / "a", "");
  write_over(directory.path() / "b", "");
  const auto fd = open_directory(directory.path());
  ASSERT_TRUE(fd);
  int visited = 0;
  ASSERT_TRUE(for_each_entry(
      fd->get(), ".",
      [&](std::string_view /*name*/, unsigned char /*type*/) { return ++visited < 1; }));
  EXPECT_EQ(visited, 1);
}

TEST(ForEachEntry, ReturnsTheErrorIfItCannotList) {
  const TemporaryDirectory directory;
  write_over(directory.path() / "file", "");
  const auto fd = open_directory(directory.path());
  ASSERT_TRUE(fd);
  const auto ignore = [](std::string_view /*name*/, unsigned char /*type*/) { return true; };
  EXPECT_EQ(error_of(for_each_entry(fd->get(), "absent", ignore)), ENOENT);
  EXPECT_EQ(error_of(for_each_entry(fd->get(), "file", ignore)), ENOTDIR);
}

TEST(ForEachEntry, ShowsNewFilesInAnOpenDirectory) {
  const TemporaryDirectory directory;
  const auto fd = open_directory(directory.path());
  ASSERT_TRUE(fd);
  const auto count = [&] {
    int entries = 0;
    EXPECT_TRUE(for_each_entry(
        fd->get(), ".",
        [&](std::string_view /*name*/, unsigned char /*type*/) { return ++entries > 0; }));
    return entries;
  };
  EXPECT_EQ(count(), 0);
  write_over(directory.path() / "file", "");
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace hypeman::tests
