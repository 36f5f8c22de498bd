#include "collector/kernel/proc_pid_status.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"

namespace hypeman::tests {
namespace {

using collector::parse_proc_pid_status;
using collector::read_proc_pid_status;

TEST(ProcPidStatus, HasTheRealAndTheEffectiveUser) {
  const auto status = parse_proc_pid_status(
      "Name:\tqemu\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t4294967294\t3\t4\nGid:\t5");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->real_user, 1000U);
  EXPECT_EQ(status->effective_user, 4294967294U);
}

TEST(ProcPidStatus, NameOfTheProcessIsNotTakenForTheUser) {
  const auto status = parse_proc_pid_status("Name:\tx\\nUid:\t0\t0\t0\t0\nUid:\t1\t2\t3\t4\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->real_user, 1U);
  EXPECT_EQ(status->effective_user, 2U);
}

TEST(ProcPidStatus, AnythingElseIsRefused) {
  for (const auto* text :
       {"", "Name:\tx\n", "Uid:\t0\t0\t0\t0\n", "Name:\tx\nUid:\t", "Name:\tx\nUid:\t0",
        "Name:\tx\nUid:\t0\t0", "Name:\tx\nUid:\t-1\t0\t0\t0\n",
        "Name:\tx\nUid:\t0\t4294967296\t0\t0\n"}) {
    EXPECT_EQ(error_of(parse_proc_pid_status(text)), EBADMSG) << text;
  }
}

TEST(ProcPidStatus, ShowsWhereTheMemoryIs) {
  const auto status = parse_proc_pid_status(
      "Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t      60 kB\nRssAnon:\t      10 kB\n"
      "RssFile:\t      20 kB\nRssShmem:\t      30 kB\nVmData:\t     1 kB\nVmSwap:\t       4 kB\n");
  ASSERT_TRUE(status && status->memory);
  EXPECT_EQ(status->memory->rss_anon_bytes, 10U * 1024);
  EXPECT_EQ(status->memory->rss_file_bytes, 20U * 1024);
  EXPECT_EQ(status->memory->rss_shmem_bytes, 30U * 1024);
  EXPECT_EQ(status->memory->swap_bytes, 4U * 1024);
}

TEST(ProcPidStatus, AProcessThatExitsHasNoMemory) {
  const auto status = parse_proc_pid_status("Name:\tx\nUid:\t0\t0\t0\t0\nGroups:\t\nThreads:\t1\n");
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->memory);
}

TEST(ProcPidStatus, MemoryOfAnotherFormIsRefused) {
  const std::string begin{"Name:\tx\nUid:\t0\t0\t0\t0\nRssAnon:\t"};
  for (const auto* text : {"10 kB\n", "10\nRssFile:\t1 kB\nRssShmem:\t1 kB\nVmSwap:\t1 kB\n",
                           "x kB\nRssFile:\t1 kB\nRssShmem:\t1 kB\nVmSwap:\t1 kB\n",
                           "1 kB\nRssFile:\t1 kB\nRssShmem:\t1 kB\nVmSwap:\t1 k"}) {
    EXPECT_EQ(error_of(parse_proc_pid_status(begin + text)), EBADMSG) << text;
  }
}

TEST(ProcPidStatus, ReadsTheFileOfThisProcess) {
  const UniqueFd fd{::open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
  const auto status = read_proc_pid_status(fd.get());
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->real_user, ::getuid());
  EXPECT_EQ(status->effective_user, ::geteuid());
  ASSERT_TRUE(status->memory);
  EXPECT_GT(status->memory->rss_anon_bytes, 0U);
  EXPECT_GT(status->memory->rss_file_bytes, 0U);
}

}  // namespace
}  // namespace hypeman::tests
