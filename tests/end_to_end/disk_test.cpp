#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/unique_fd.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30U;
constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;

class Disk : public EndToEndTest {
 protected:
  /// What the disk takes on the host, without the code of the collector.
  [[nodiscard]] std::uint64_t allocated() const {
    struct stat status {};
    if (::stat(data.overlay(id).c_str(), &status) != 0) {
      throw errno_error("stat");
    }
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  [[nodiscard]] UniqueFd open_overlay() const {
    return UniqueFd{::open(data.overlay(id).c_str(), O_RDWR | O_CLOEXEC)};
  }

  void write_mebibyte_at(std::uint64_t offset) const {
    const auto fd = open_overlay();
    const std::string bytes(mebibyte, 'x');
    ASSERT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    ASSERT_EQ(::fsync(fd.get()), 0);
  }

  static void expect_absent(const StatsMount& mount) {
    const auto names = list(mount / id);
    for (const std::string name : {"disk_size_bytes", "disk_allocated_bytes"}) {
      EXPECT_EQ(std::ranges::count(names, name), 0) << name;
      EXPECT_EQ(mount.read(id, name).error, ENOENT) << name;
    }
    const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
    EXPECT_FALSE(json.at("instances").at(id).contains("disk_size_bytes"));
    EXPECT_EQ(read_file(mount / "metrics.prom").text.find("hypeman_vm_disk_size_bytes{"),
              std::string::npos);
    EXPECT_EQ(mount.value(id, "allocated_vcpus"), "2");
  }

  DataDirectory data;
};

TEST_F(Disk, AllocatedBytesFollowWritesAndHoles) {
  data.create_overlay(id, gibibyte);
  data.write({.id = id});
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), gibibyte);
  const auto sparse = mount.number(id, "disk_allocated_bytes");
  EXPECT_EQ(sparse, allocated());
  EXPECT_LT(sparse, mebibyte);

  write_mebibyte_at(0);
  write_mebibyte_at(gibibyte / 2);
  const auto written = mount.number(id, "disk_allocated_bytes");
  EXPECT_EQ(written, allocated());
  EXPECT_GE(written, sparse + 2 * mebibyte);

  const auto fd = open_overlay();
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(gibibyte / 2), static_cast<off_t>(mebibyte)),
            0);
  ASSERT_EQ(::fsync(fd.get()), 0);
  const auto punched = mount.number(id, "disk_allocated_bytes");
  EXPECT_EQ(punched, allocated());
  EXPECT_LE(punched, written - mebibyte);
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), gibibyte);

  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(2 * gibibyte)), 0);
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), 2 * gibibyte);
}

TEST_F(Disk, IsShownWhileTheVmRunsAndAfterItHasStopped) {
  data.create_overlay(id, gibibyte);
  auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), gibibyte);
  process.send_signal(SIGKILL);
  ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), gibibyte);
  EXPECT_EQ(std::ranges::count(list(mount / id), "disk_allocated_bytes"), 1);
}

TEST_F(Disk, NewDiskOfTheSameVmIsShownAtOnce) {
  data.create_overlay(id, gibibyte);
  data.write({.id = id});
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), gibibyte);
  std::filesystem::remove(data.overlay(id));
  data.create_overlay(id, 2 * gibibyte);
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), 2 * gibibyte);
}

TEST_F(Disk, FilesAreAbsentWithoutADisk) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  expect_absent(mount);
  data.create_overlay(id, mebibyte);
  EXPECT_EQ(mount.number(id, "disk_size_bytes"), mebibyte);
  std::filesystem::remove(data.overlay(id));
  expect_absent(mount);
}

TEST_F(Disk, FilesAreAbsentIfSomethingElseHasTheNameOfTheDisk) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  std::filesystem::create_symlink("metadata.json", data.overlay(id));
  expect_absent(mount);
  std::filesystem::remove(data.overlay(id));
  ASSERT_EQ(::mkfifo(data.overlay(id).c_str(), 0600), 0);
  expect_absent(mount);
  std::filesystem::remove(data.overlay(id));
  std::filesystem::create_directory(data.overlay(id));
  expect_absent(mount);
}

}  // namespace
}  // namespace hypeman::tests
