#include "collector/instances/in_parallel.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/privileges.hpp"
#include "tests/support/thread_limit.hpp"

namespace hypeman::tests {
namespace {

using collector::in_parallel;

/// Whether each number below `count` is in exactly one part.
bool covers(std::size_t count) {
  std::vector<int> seen(count);
  in_parallel(count, /*max_threads=*/4, [&](std::size_t begin, std::size_t end) {
    for (auto index = begin; index < end; ++index) {
      ++seen[index];
    }
  });
  return std::ranges::all_of(seen, [](int times) { return times == 1; });
}

TEST(InParallel, DoesEachPartOnce) {
  for (const std::size_t count : {0U, 1U, 99U, 100U, 101U, 199U, 200U, 400U, 401U, 1000U, 12345U}) {
    EXPECT_TRUE(covers(count)) << count;
  }
}

class InParallelOfALimitedUser : public EndToEndTest {};

TEST_F(InParallelOfALimitedUser, DoesAllPartsIfNoThreadCanBeStarted) {
  EXPECT_TRUE(holds_without_threads([] { return covers(1000); }));
}

}  // namespace
}  // namespace hypeman::tests
