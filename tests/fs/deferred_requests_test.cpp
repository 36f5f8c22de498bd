#include "fs/fuse/deferred_requests.hpp"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using fs::DeferredRequests;

TEST(DeferredRequests, AreAnsweredAtTheSameTime) {
  std::latch all_run{DeferredRequests::max_threads};
  DeferredRequests requests;
  for (std::size_t count = 0; count < DeferredRequests::max_threads; ++count) {
    EXPECT_TRUE(requests.add([&] { all_run.arrive_and_wait(); }));
  }
  all_run.wait();
}

TEST(DeferredRequests, AreAllAnsweredAtTheEnd) {
  std::atomic<int> answered = 0;
  constexpr int count = 1000;
  {
    DeferredRequests requests;
    for (int number = 0; number < count; ++number) {
      EXPECT_TRUE(requests.add([&] { ++answered; }));
    }
  }
  EXPECT_EQ(answered, count);
}

TEST(DeferredRequests, AreRefusedIfTooManyWait) {
  std::latch released{1};
  std::latch busy{DeferredRequests::max_threads};
  DeferredRequests requests;
  for (std::size_t count = 0; count < DeferredRequests::max_threads; ++count) {
    EXPECT_TRUE(requests.add([&] {
      busy.count_down();
      released.wait();
    }));
  }
  busy.wait();
  for (std::size_t count = 0; count < DeferredRequests::max_waiting; ++count) {
    EXPECT_TRUE(requests.add([] {}));
  }
  EXPECT_FALSE(requests.add([] {}));
  released.count_down();
}

}  // namespace
}  // namespace hypeman::tests
