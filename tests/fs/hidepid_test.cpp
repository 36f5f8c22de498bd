#include "fs/sandbox/hidepid.hpp"

#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

std::optional<gid_t> group_with(const std::string& mounts) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "mounts";
  std::ofstream{path} << mounts;
  return fs::group_that_sees_all_processes(path);
}

TEST(Hidepid, NobodyIsHiddenAsARule) {
  EXPECT_EQ(group_with("proc /proc proc rw,nosuid,relatime 0 0\n"), std::nullopt);
  EXPECT_EQ(group_with("proc /proc proc rw,gid=5 0 0\n"), std::nullopt);
  EXPECT_EQ(group_with("proc /proc proc rw,hidepid=off,gid=5 0 0\n"), std::nullopt);
  EXPECT_EQ(group_with("proc /proc proc rw,hidepid=0 0 0\n"), std::nullopt);
  EXPECT_EQ(group_with(""), std::nullopt);
}

TEST(Hidepid, GroupIsThatOfTheMountOrRoot) {
  EXPECT_EQ(group_with("proc /proc proc rw,gid=12345,hidepid=invisible 0 0\n"), 12345U);
  EXPECT_EQ(group_with("proc /proc proc rw,hidepid=2,gid=7 0 0\n"), 7U);
  EXPECT_EQ(group_with("proc /proc proc rw,hidepid=noaccess 0 0\n"), 0U);
}

TEST(Hidepid, MountOnTopCounts) {
  const std::string open = "proc /proc proc rw 0 0\n";
  const std::string hidden = "proc /proc proc rw,hidepid=invisible,gid=3 0 0\n";
  const std::string elsewhere = "proc /mnt/proc proc rw,hidepid=invisible,gid=4 0 0\n";
  EXPECT_EQ(group_with(open + hidden + elsewhere), 3U);
  EXPECT_EQ(group_with(hidden + open), std::nullopt);
}

TEST(Hidepid, WithoutAMountTableNobodyIsHidden) {
  EXPECT_EQ(fs::group_that_sees_all_processes("/nowhere"), std::nullopt);
}

}  // namespace
}  // namespace hypeman::tests
