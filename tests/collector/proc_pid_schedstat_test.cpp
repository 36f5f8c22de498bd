#include "collector/kernel/proc_pid_schedstat.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdint>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"

namespace hypeman::tests {
namespace {

using collector::parse_proc_pid_schedstat;

TEST(ProcPidSchedstat, HasTheTimeOnACpuAndTheTimeOfWaiting) {
  const auto times = parse_proc_pid_schedstat("18446744073709551615 250 3\n");
  ASSERT_TRUE(times);
  EXPECT_EQ(times->run_nanoseconds, UINT64_MAX);
  EXPECT_EQ(times->wait_nanoseconds, 250U);
}

TEST(ProcPidSchedstat, ZerosMeanThatTheKernelDoesNotCount) {
  EXPECT_EQ(error_of(parse_proc_pid_schedstat("0 0 0\n")), ENODATA);
  EXPECT_EQ(error_of(parse_proc_pid_schedstat("1 0 1\n")), 0);
}

TEST(ProcPidSchedstat, AnythingElseIsRefused) {
  for (const auto* text : {"", "\n", "1\n", "1 2\n", "1 2 3", "1 2 3 4\n", "-1 2 3\n", "1  2 3\n",
                           "1 2 x\n", "18446744073709551616 0 1\n"}) {
    EXPECT_EQ(error_of(parse_proc_pid_schedstat(text)), EBADMSG) << text;
  }
}

TEST(ProcPidSchedstat, ReadsTheFileOfThisThread) {
  const UniqueFd fd{::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)};
  const auto times = collector::read_proc_pid_schedstat(fd.get());
  ASSERT_TRUE(times) << times.error().message();
  EXPECT_GT(times->run_nanoseconds, 0U);
}

}  // namespace
}  // namespace hypeman::tests
