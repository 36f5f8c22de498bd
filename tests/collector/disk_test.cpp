#include "collector/hypeman/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "collector/hypeman/metadata_file.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/test_host.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

class DiskTest : public ::testing::Test {
 protected:
  DiskTest() { std::filesystem::create_directories(overlay().parent_path()); }

  [[nodiscard]] std::filesystem::path overlay() const {
    return data_.instance(first_id) / "overlay.raw";
  }
  [[nodiscard]] Result<collector::Disk> read() const {
    return collector::read_disk(collector::Guests{data_.path()}, first_id,
                                collector::seconds_now());
  }

 private:
  DataDirectory data_;
};

TEST_F(DiskTest, HasItsSizeAndWhatItTakesOnTheHost) {
  constexpr off_t size = off_t{1} << 30U;
  constexpr off_t written = off_t{1} << 20U;
  const UniqueFd disk{::open(overlay().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  ASSERT_EQ(::ftruncate(disk.get(), size), 0);
  EXPECT_EQ(read().value().size_bytes, static_cast<std::uint64_t>(size));
  EXPECT_LT(read().value().allocated_bytes, static_cast<std::uint64_t>(written));
  ASSERT_EQ(::fallocate(disk.get(), 0, size / 2, written), 0);
  EXPECT_EQ(read().value().size_bytes, static_cast<std::uint64_t>(size));
  EXPECT_GE(read().value().allocated_bytes, static_cast<std::uint64_t>(written));
  EXPECT_LT(read().value().allocated_bytes, static_cast<std::uint64_t>(2 * written));
}

TEST_F(DiskTest, IsAbsentIfItIsNotARegularFile) {
  EXPECT_EQ(error_of(read()), ENOENT);
  std::filesystem::create_symlink("/etc/passwd", overlay());
  EXPECT_EQ(error_of(read()), ENOENT);
  std::filesystem::remove(overlay());
  ASSERT_EQ(::mkfifo(overlay().c_str(), 0600), 0);
  EXPECT_EQ(error_of(read()), ENOENT);
}

TEST_F(DiskTest, IsFoundWhileAForkHasRenamedTheDirectory) {
  write_over(overlay(), "four");
  const auto directory = overlay().parent_path();
  std::filesystem::rename(directory, renamed_by_fork(directory));
  EXPECT_EQ(read().value().size_bytes, 4U);
  const TemporaryDirectory other;
  write_over(other.path() / "overlay.raw", "of another VM");
  std::filesystem::create_directory_symlink(other.path(), directory);
  EXPECT_EQ(read().value().size_bytes, 4U) << "a symlink was followed";
}

TEST_F(DiskTest, NoSymlinkLeadsToIt) {
  const auto directory = overlay().parent_path();
  const auto other = directory.parent_path() / std::string{second_id};
  write_over(other / "overlay.raw", "of another VM");
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory_symlink(other, directory);
  EXPECT_EQ(error_of(read()), ENOENT);
}

}  // namespace
}  // namespace hypeman::tests
