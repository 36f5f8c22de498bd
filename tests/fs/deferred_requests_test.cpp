#include "fs/fuse/deferred_requests.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <latch>
#include <memory>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using fs::DeferredRequests;

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds{10};
}

TEST(DeferredRequests, AreAnsweredAtTheSameTime) {
  std::latch all_run{DeferredRequests::max_threads};
  const auto requests = std::make_shared<DeferredRequests>();
  for (std::size_t count = 0; count < DeferredRequests::max_threads; ++count) {
    EXPECT_TRUE(requests->add(requests, [&] { all_run.arrive_and_wait(); }));
  }
  all_run.wait();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

TEST(DeferredRequests, AreAllAnsweredAtTheEnd) {
  std::atomic<int> answered = 0;
  constexpr int count = 1000;
  const auto requests = std::make_shared<DeferredRequests>();
  for (int number = 0; number < count; ++number) {
    EXPECT_TRUE(requests->add(requests, [&] { ++answered; }));
  }
  EXPECT_TRUE(requests->wait_until_idle(soon()));
  EXPECT_EQ(answered, count);
}

TEST(DeferredRequests, AreRefusedIfTooManyWait) {
  std::latch released{1};
  std::latch busy{DeferredRequests::max_threads};
  const auto requests = std::make_shared<DeferredRequests>();
  for (std::size_t count = 0; count < DeferredRequests::max_threads; ++count) {
    EXPECT_TRUE(requests->add(requests, [&] {
      busy.count_down();
      released.wait();
    }));
  }
  busy.wait();
  for (std::size_t count = 0; count < DeferredRequests::max_waiting; ++count) {
    EXPECT_TRUE(requests->add(requests, [] {}));
  }
  EXPECT_FALSE(requests->add(requests, [] {}));
  released.count_down();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

TEST(DeferredRequests, AreNotWaitedForForEver) {
  std::latch released{1};
  const auto requests = std::make_shared<DeferredRequests>();
  EXPECT_TRUE(requests->add(requests, [&] { released.wait(); }));
  EXPECT_FALSE(requests->wait_until_idle(std::chrono::steady_clock::now()));
  released.count_down();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

}  // namespace
}  // namespace hypeman::tests
