#include "collector/kernel/checker_threads.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <latch>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/thread_limit.hpp"

namespace hypeman::tests {
namespace {

using collector::CheckerThreads;

/// Counts the threads that have run a job and have not ended yet.
class CountedThread {
 public:
  static void count_this_one() { thread_local const CountedThread thread; }
  [[nodiscard]] static std::size_t count() { return living(); }

  CountedThread(const CountedThread&) = delete;
  CountedThread& operator=(const CountedThread&) = delete;
  CountedThread(CountedThread&&) = delete;
  CountedThread& operator=(CountedThread&&) = delete;

 private:
  CountedThread() { ++living(); }
  ~CountedThread() { --living(); }

  static std::atomic<std::size_t>& living() {
    static std::atomic<std::size_t> threads = 0;
    return threads;
  }
};

/// Jobs that hang until the test releases them.
class CheckerThreadsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    threads.reset();
    EXPECT_TRUE(eventually([] { return CountedThread::count() == 0; }));
  }

  [[nodiscard]] Result<void> start_hanging_job() {
    return threads->run([release = release, ended = ended] {
      CountedThread::count_this_one();
      release->wait();
      ended->count_down();
    });
  }
  void start_as_many_as_possible() {
    for (std::size_t i = 0; i < CheckerThreads::max_threads; ++i) {
      ASSERT_EQ(error_of(start_hanging_job()), 0);
    }
  }

  std::optional<CheckerThreads> threads{std::in_place};
  std::shared_ptr<std::latch> release = std::make_shared<std::latch>(1);
  std::shared_ptr<std::latch> ended = std::make_shared<std::latch>(CheckerThreads::max_threads);
};

TEST_F(CheckerThreadsTest, ARefusedJobIsAnErrorAndAllIsWellWhenTheOthersHaveEnded) {
  start_as_many_as_possible();
  EXPECT_EQ(error_of(start_hanging_job()), EAGAIN);
  release->count_down();
  ended->wait();
  const auto ran = std::make_shared<std::latch>(1);
  ASSERT_TRUE(eventually([&] { return threads->run([ran] { ran->count_down(); }).has_value(); }));
  ran->wait();
}

TEST_F(CheckerThreadsTest, FewStayWhenTheyAreIdle) {
  start_as_many_as_possible();
  release->count_down();
  EXPECT_TRUE(
      eventually([] { return CountedThread::count() == CheckerThreads::max_idle_threads; }));
}

TEST_F(CheckerThreadsTest, NobodyWaitsForAHungOne) {
  ASSERT_EQ(error_of(start_hanging_job()), 0);
  threads.reset();
  release->count_down();
}

TEST_F(CheckerThreadsTest, IdleOnesEndWithTheObject) {
  release->count_down();
  ASSERT_EQ(error_of(start_hanging_job()), 0);
  ASSERT_TRUE(eventually([] { return CountedThread::count() == 1; }));
}

class LimitedUser : public EndToEndTest {};

TEST_F(LimitedUser, GetsAnErrorIfNoThreadCanBeStarted) {
  EXPECT_TRUE(holds_without_threads([] {
    CheckerThreads threads;
    return error_of(threads.run([] {})) == EAGAIN;
  }));
}

}  // namespace
}  // namespace hypeman::tests
