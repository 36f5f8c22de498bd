#include "collector/kernel/proc_pid_statm.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::parse_proc_pid_statm;
using collector::ProcPidStatm;
using collector::read_proc_pid_statm;

Result<ProcPidStatm> read_text(const std::string& text) {
  const TemporaryDirectory directory;
  write_over(directory.path() / "statm", text);
  const UniqueFd fd{::open((directory.path() / "statm").c_str(), O_RDONLY | O_CLOEXEC)};
  return read_proc_pid_statm(fd.get());
}

TEST(ProcPidStatm, ReadsSizeAndResidentPages) {
  const auto statm = parse_proc_pid_statm("1057311 108237 1024 813 0 1050000 0\n");
  ASSERT_TRUE(statm);
  EXPECT_EQ(statm->size_pages, 1057311U);
  EXPECT_EQ(statm->resident_pages, 108237U);
}

TEST(ProcPidStatm, TwoFieldsAreEnough) {
  const auto statm = parse_proc_pid_statm("5 4\n");
  ASSERT_TRUE(statm);
  EXPECT_EQ(statm->size_pages, 5U);
  EXPECT_EQ(statm->resident_pages, 4U);
}

TEST(ProcPidStatm, CountsBeyond32Bits) {
  const auto statm = parse_proc_pid_statm("18446744073709551615 4294967297 0 0 0 0 0\n");
  ASSERT_TRUE(statm);
  EXPECT_EQ(statm->size_pages, UINT64_MAX);
  EXPECT_EQ(statm->resident_pages, (std::uint64_t{1} << 32U) + 1);
}

TEST(ProcPidStatm, MissingFieldsAreRefused) {
  for (const auto* text : {"", "\n", "5", "5\n", "5 ", "5 \n", "5 4", " 5 4\n", "5  4\n"}) {
    EXPECT_EQ(error_of(parse_proc_pid_statm(text)), EBADMSG) << '"' << text << '"';
  }
}

TEST(ProcPidStatm, GarbageNumbersAreRefused) {
  for (const auto* text : {"x 4 0\n", "5 x 0\n", "-5 4 0\n", "5 -4 0\n", "5.0 4 0\n", "5 0x4 0\n",
                           "18446744073709551616 4 0\n", "5 18446744073709551616 0\n", "5\t4\n"}) {
    EXPECT_EQ(error_of(parse_proc_pid_statm(text)), EBADMSG) << '"' << text << '"';
  }
}

TEST(ProcPidStatm, AProcessThatHasReleasedItsMemoryIsGone) {
  EXPECT_EQ(error_of(read_text("0 0 0 0 0 0 0\n")), ESRCH);
}

TEST(ProcPidStatm, AProcessWithoutResidentMemoryIsNotGone) {
  const auto statm = read_text("10 0 0 0 0 0 0\n");
  ASSERT_TRUE(statm);
  EXPECT_EQ(statm->resident_pages, 0U);
}

TEST(ProcPidStatm, ReadsTheFileOfThisProcess) {
  const UniqueFd fd{::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)};
  const auto statm = read_proc_pid_statm(fd.get());
  ASSERT_TRUE(statm) << statm.error().message();
  EXPECT_GT(statm->resident_pages, 0U);
  EXPECT_GE(statm->size_pages, statm->resident_pages);
}

}  // namespace
}  // namespace hypeman::tests
