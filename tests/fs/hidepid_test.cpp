#include "fs/sandbox/hidepid.hpp"

#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

std::optional<gid_t> group_for(const std::string& mounts) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "mounts";
  std::ofstream{path} << mounts;
  return fs::hidepid_exempt_group(path);
}

TEST(Hidepid, NoGroupIfProcHidesNothing) {
  EXPECT_EQ(group_for("proc /proc proc rw,nosuid,relatime 0 0\n"), std::nullopt);
  EXPECT_EQ(group_for("proc /proc proc rw,gid=5 0 0\n"), std::nullopt);
  EXPECT_EQ(group_for("proc /proc proc rw,hidepid=off,gid=5 0 0\n"), std::nullopt);
  EXPECT_EQ(group_for("proc /proc proc rw,hidepid=0 0 0\n"), std::nullopt);
  EXPECT_EQ(group_for(""), std::nullopt);
}

TEST(Hidepid, GroupIsTheGidOptionOrRoot) {
  EXPECT_EQ(group_for("proc /proc proc rw,gid=12345,hidepid=invisible 0 0\n"), 12345U);
  EXPECT_EQ(group_for("proc /proc proc rw,hidepid=2,gid=7 0 0\n"), 7U);
  EXPECT_EQ(group_for("proc /proc proc rw,hidepid=noaccess 0 0\n"), 0U);
}

TEST(Hidepid, LastMountOnProcCounts) {
  const std::string open = "proc /proc proc rw 0 0\n";
  const std::string hidden = "proc /proc proc rw,hidepid=invisible,gid=3 0 0\n";
  const std::string elsewhere = "proc /mnt/proc proc rw,hidepid=invisible,gid=4 0 0\n";
  EXPECT_EQ(group_for(open + hidden + elsewhere), 3U);
  EXPECT_EQ(group_for(hidden + open), std::nullopt);
}

TEST(Hidepid, NoGroupWithoutAMountTable) {
  EXPECT_EQ(fs::hidepid_exempt_group("/nowhere"), std::nullopt);
}

}  // namespace
}  // namespace hypeman::tests
