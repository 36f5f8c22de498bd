#include "collector/instances/shared_job.hpp"

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

using collector::SharedJob;

TEST(SharedJob, RunsForEachCallThatIsAlone) {
  SharedJob<int> job;
  int runs = 0;
  EXPECT_EQ(job.run([&] { return ++runs; }), 1);
  EXPECT_EQ(job.run([&] { return ++runs; }), 2);
}

TEST(SharedJob, CallsDuringARunShareTheNextOne) {
  SharedJob<int> job;
  std::latch first_runs{1};
  std::latch release{1};
  std::atomic<int> runs = 0;
  std::atomic<int> calls = 0;
  std::jthread first{[&] {
    EXPECT_EQ(job.run([&] {
      first_runs.count_down();
      release.wait();
      return ++runs;
    }),
              1);
  }};
  first_runs.wait();
  std::vector<std::jthread> others;
  constexpr int count = 8;
  for (int number = 0; number < count; ++number) {
    others.emplace_back([&] {
      ++calls;
      // Not older than the call: the first run has begun before.
      EXPECT_GT(job.run([&] { return ++runs; }), 1);
    });
  }
  EXPECT_TRUE(eventually([&] { return calls == count; }));
  release.count_down();
  others.clear();
  EXPECT_LE(runs, count + 1);
}

TEST(SharedJob, AnExceptionReachesItsCallerOnly) {
  SharedJob<int> job;
  EXPECT_THROW(static_cast<void>(job.run([]() -> int { throw std::runtime_error{"no"}; })),
               std::runtime_error);
  EXPECT_EQ(job.run([] { return 5; }), 5);
}

TEST(SharedJob, RestsAfterARun) {
  SharedJob<int> job{9};
  const auto before = SharedJob<int>::Clock::now();
  EXPECT_EQ(job.run([] { return 5; }), 5);
  const auto rest_until = job.rest_until();
  EXPECT_GT(rest_until, before);
  EXPECT_EQ(job.run([&] {
    EXPECT_GE(SharedJob<int>::Clock::now(), rest_until);
    return 6;
  }),
            6);
}

}  // namespace
}  // namespace hypeman::tests
