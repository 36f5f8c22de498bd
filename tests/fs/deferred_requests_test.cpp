#include "fs/fuse/deferred_requests.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <latch>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/privileges.hpp"
#include "tests/support/thread_limit.hpp"

namespace hypeman::tests {
namespace {

using fs::DeferredRequests;

constexpr std::size_t max_threads = 8;
constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds{10};
}

TEST(DeferredRequests, AreAnsweredAtTheSameTime) {
  std::latch all_run{max_threads};
  const auto requests = std::make_shared<DeferredRequests>(max_threads);
  for (std::size_t count = 0; count < max_threads; ++count) {
    EXPECT_TRUE(requests->add(requests, alice, [&] { all_run.arrive_and_wait(); }));
  }
  all_run.wait();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

TEST(DeferredRequests, AreAllAnsweredAtTheEnd) {
  std::atomic<int> answered = 0;
  constexpr int count = 1000;
  const auto requests = std::make_shared<DeferredRequests>(max_threads);
  for (int number = 0; number < count; ++number) {
    EXPECT_TRUE(requests->add(requests, alice, [&] { ++answered; }));
  }
  EXPECT_TRUE(requests->wait_until_idle(soon()));
  EXPECT_EQ(answered, count);
}

TEST(DeferredRequests, AreRefusedIfTooManyWait) {
  std::latch released{1};
  std::latch busy{max_threads};
  const auto requests = std::make_shared<DeferredRequests>(max_threads);
  for (std::size_t count = 0; count < max_threads; ++count) {
    EXPECT_TRUE(requests->add(requests, alice, [&] {
      busy.count_down();
      released.wait();
    }));
  }
  busy.wait();
  for (std::size_t count = 0; count < DeferredRequests::max_waiting_of_user; ++count) {
    EXPECT_TRUE(requests->add(requests, alice, [] {}));
  }
  EXPECT_FALSE(requests->add(requests, alice, [] {}));
  EXPECT_TRUE(requests->add(requests, bob, [] {}));
  released.count_down();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

TEST(DeferredRequests, OfEachUserTakeTurns) {
  std::latch released{1};
  std::latch busy{1};
  std::vector<uid_t> order;
  const auto requests = std::make_shared<DeferredRequests>(1);
  EXPECT_TRUE(requests->add(requests, bob, [&] {
    busy.count_down();
    released.wait();
  }));
  busy.wait();
  for (int number = 0; number < 3; ++number) {
    EXPECT_TRUE(requests->add(requests, alice, [&] { order.push_back(alice); }));
  }
  EXPECT_TRUE(requests->add(requests, bob, [&] { order.push_back(bob); }));
  released.count_down();
  ASSERT_TRUE(requests->wait_until_idle(soon()));
  EXPECT_EQ(order, (std::vector<uid_t>{alice, bob, alice, alice}));
}

TEST(DeferredRequests, AreNotWaitedForForEver) {
  std::latch released{1};
  const auto requests = std::make_shared<DeferredRequests>(max_threads);
  EXPECT_TRUE(requests->add(requests, alice, [&] { released.wait(); }));
  EXPECT_FALSE(requests->wait_until_idle(std::chrono::steady_clock::now()));
  released.count_down();
  EXPECT_TRUE(requests->wait_until_idle(soon()));
}

class DeferredRequestsOfALimitedUser : public EndToEndTest {};

TEST_F(DeferredRequestsOfALimitedUser, AreAnsweredAtOnceIfNoThreadCanBeStarted) {
  EXPECT_TRUE(holds_without_threads([] {
    DeferredRequests requests{max_threads};
    bool answered = false;
    return requests.add(nullptr, alice, [&] { answered = true; }) && answered;
  }));
}

}  // namespace
}  // namespace hypeman::tests
