#include <cerrno>

#include <gtest/gtest.h>

#include "fs/ring/cpus.hpp"

namespace hypeman::tests {
namespace {

TEST(RingCpus, AListHasRangesAndSingleCpus) {
  EXPECT_EQ(fs::count_cpus("0\n"), 1U);
  EXPECT_EQ(fs::count_cpus("0-1\n"), 2U);
  EXPECT_EQ(fs::count_cpus("0-3,8,10-11"), 7U);
}

TEST(RingCpus, AnythingElseIsRefused) {
  for (const auto* const list : {"", "\n", "a", "1-", "-1", "3-1", "0,,1", "0-4294967295", "0 1"}) {
    const auto count = fs::count_cpus(list);
    ASSERT_FALSE(count) << list;
    EXPECT_EQ(count.error().value(), EINVAL) << list;
  }
}

TEST(RingCpus, ThisMachineHasAtLeastAsManyPossibleAsPresentOnes) {
  const auto cpus = fs::read_cpus();
  ASSERT_TRUE(cpus) << cpus.error().message();
  EXPECT_GE(cpus->present, 1U);
  EXPECT_GE(cpus->possible, cpus->present);
}

}  // namespace
}  // namespace hypeman::tests
