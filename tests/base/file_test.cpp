#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

bool closes_on_exec(int fd) {
  return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    write_over(path() / "file", "content");
    write_over(path() / "directory/file", "inner");
    std::filesystem::create_symlink("file", path() / "link");
    std::filesystem::create_directory_symlink("directory", path() / "directory-link");
  }

  [[nodiscard]] std::filesystem::path path() const { return directory_.path(); }
  [[nodiscard]] int directory() const { return fd_.get(); }

 private:
  TemporaryDirectory directory_;
  UniqueFd fd_{open_directory(directory_.path()).value()};
};

TEST_F(FileTest, DescriptorsAreCloseOnExec) {
  EXPECT_TRUE(closes_on_exec(directory()));
  EXPECT_TRUE(closes_on_exec(open_directory_at(directory(), "directory").value().get()));
  EXPECT_TRUE(closes_on_exec(open_kernel_file(directory(), "file").value().get()));
  EXPECT_TRUE(closes_on_exec(open_beneath(directory(), "file").value().get()));
}

TEST_F(FileTest, RootsMayBeSymlinksAndMustBeDirectories) {
  EXPECT_EQ(error_of(open_directory(path() / "directory-link")), 0);
  EXPECT_EQ(error_of(open_directory(path() / "file")), ENOTDIR);
  EXPECT_EQ(error_of(open_directory(path() / "absent")), ENOENT);
  EXPECT_EQ(error_of(open_directory_at(directory(), "file")), ENOTDIR);
}

TEST_F(FileTest, KernelFilesCanBeBehindSymlinks) {
  // /sys/class/net/<interface> is a symlink.
  EXPECT_EQ(error_of(open_kernel_file(directory(), "directory-link/file")), 0);
  EXPECT_EQ(error_of(open_kernel_file(directory(), "absent")), ENOENT);
}

TEST_F(FileTest, UntrustedPathsFollowNoSymlinkInAnyComponent) {
  EXPECT_EQ(error_of(open_beneath(directory(), "file")), 0);
  EXPECT_EQ(error_of(open_beneath(directory(), "directory/file")), 0);
  EXPECT_EQ(error_of(open_beneath(directory(), "link")), ELOOP);
  EXPECT_EQ(error_of(open_beneath(directory(), "directory-link/file")), ELOOP);
}

TEST_F(FileTest, UntrustedPathsStayBelowTheirDirectory) {
  EXPECT_EQ(error_of(open_beneath(directory(), "/etc/passwd")), EXDEV);
  EXPECT_EQ(error_of(open_beneath(directory(), "../../etc/passwd")), EXDEV);
  EXPECT_EQ(error_of(open_beneath(directory(), "directory/../../etc")), EXDEV);
}

TEST_F(FileTest, UntrustedFifosDoNotBlock) {
  ASSERT_EQ(::mkfifo((path() / "fifo").c_str(), 0644), 0);
  EXPECT_EQ(error_of(open_beneath(directory(), "fifo")), 0);
}

TEST_F(FileTest, ASnapshotIsReadFromTheStartEachTime) {
  const auto fd = open_kernel_file(directory(), "file");
  ASSERT_TRUE(fd);
  std::array<char, 64> buffer{};
  EXPECT_EQ(read_snapshot(fd->get(), buffer), "content");
  write_over(path() / "file", "new");
  EXPECT_EQ(read_snapshot(fd->get(), buffer), "new");
  write_over(path() / "file", "");
  EXPECT_EQ(read_snapshot(fd->get(), buffer), "");
}

TEST_F(FileTest, ASnapshotThatFillsTheBufferIsAnError) {
  const auto fd = open_kernel_file(directory(), "file");
  ASSERT_TRUE(fd);
  std::array<char, 7> exactly{};
  EXPECT_EQ(error_of(read_snapshot(fd->get(), exactly)), EOVERFLOW);
  std::array<char, 8> one_more{};
  EXPECT_EQ(read_snapshot(fd->get(), one_more), "content");
}

TEST_F(FileTest, ReadErrorsAreReturned) {
  std::array<char, 64> buffer{};
  EXPECT_EQ(error_of(read_snapshot(-1, buffer)), EBADF);
  EXPECT_EQ(error_of(read_snapshot(directory(), buffer)), EISDIR);
  EXPECT_EQ(error_of(read_whole(directory(), 64)), EISDIR);
}

TEST_F(FileTest, AWholeFileIsReadUpToTheLimit) {
  constexpr std::size_t limit = 100'000;
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 8192U, 99'999U, 100'000U}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
      text += static_cast<char>('a' + i % 26);
    }
    write_over(path() / "large", text);
    EXPECT_EQ(read_whole(open_beneath(directory(), "large").value().get(), limit), text) << size;
  }
}

TEST_F(FileTest, AFileAboveTheLimitIsAnError) {
  write_over(path() / "large", std::string(100'001, 'x'));
  EXPECT_EQ(error_of(read_whole(open_beneath(directory(), "large").value().get(), 100'000)), EFBIG);
}

TEST(UniqueFd, ClosesItsDescriptor) {
  int number = -1;
  {
    const UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, MoveAssignmentClosesTheOldDescriptor) {
  UniqueFd first{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  UniqueFd second{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const int first_number = first.get();
  const int second_number = second.get();
  second = std::move(first);
  EXPECT_EQ(second.get(), first_number);
  EXPECT_TRUE(is_open(first_number));
  EXPECT_FALSE(is_open(second_number));
}

TEST(UniqueFd, DoesNotCloseAReleasedDescriptor) {
  int number = -1;
  {
    UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    number = fd.release();
    EXPECT_FALSE(fd);
  }
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(UniqueFd, IsEmptyByDefault) {
  EXPECT_FALSE(UniqueFd{});
}

}  // namespace
}  // namespace hypeman::tests
