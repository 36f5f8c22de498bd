#include "collector/kernel/procfs.hpp"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/data_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::Procfs;

TEST(Procfs, HasTheBootIdAndTheUnitsOfThisMachine) {
  const auto procfs = Procfs::open("/proc");
  ASSERT_TRUE(procfs) << procfs.error().message();
  EXPECT_EQ(procfs->boot_id, current_boot_id());
  EXPECT_EQ(procfs->units.ticks_per_second, static_cast<double>(::sysconf(_SC_CLK_TCK)));
  EXPECT_EQ(procfs->units.page_size, static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

TEST(Procfs, ReadsTheBootIdBelowItsRoot) {
  const FakeProc proc;
  const auto procfs = Procfs::open(proc.path());
  ASSERT_TRUE(procfs) << procfs.error().message();
  EXPECT_EQ(procfs->boot_id, FakeProc::boot_id);
}

TEST(Procfs, TheBootIdMayBeUnknown) {
  const FakeProc proc;
  std::filesystem::remove_all(std::filesystem::path{proc.path()} / "sys");
  const auto procfs = Procfs::open(proc.path());
  ASSERT_TRUE(procfs) << procfs.error().message();
  EXPECT_EQ(procfs->boot_id, "");
}

TEST(Procfs, MustBeADirectory) {
  EXPECT_EQ(error_of(Procfs::open("/no/such/directory")), ENOENT);
  EXPECT_EQ(error_of(Procfs::open("/dev/null")), ENOTDIR);
}

}  // namespace
}  // namespace hypeman::tests
