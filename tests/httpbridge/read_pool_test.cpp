#include "httpbridge/http/read_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

using namespace std::chrono_literals;

/// A pool whose reads wait for the test.
class ReadPoolTest : public ::testing::Test {
 protected:
  struct Gate {
    std::counting_semaphore<> started{0};
    std::counting_semaphore<> may_finish{0};
    std::atomic<int> reads = 0;
  };

  static constexpr auto later = 11s;  // than the timeout

  // Lets the pool's threads end.
  void TearDown() override { gate_->may_finish.release(100); }

  static Route stats_of(const std::string& id) { return {RouteKind::instance_stats, id}; }

  void request(const std::string& id) {
    pool_.async_read(stats_of(id), ReadPool::Clock::now(), [this](const ReadPool::Result& result) {
      results_.push_back(result ? **result : "failed");
    });
  }
  void run_ready_handlers() {
    loop_.restart();
    loop_.poll();
  }
  void wait_for_results(std::size_t count) {
    loop_.restart();
    while (results_.size() < count) {
      loop_.run_one();
    }
  }

  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  ReadPool pool_{loop_,
                 [gate = gate_](const Route& route) -> tl::expected<std::string, ReadError> {
                   const int read = ++gate->reads;
                   gate->started.release();
                   gate->may_finish.acquire();
                   return route.instance + std::to_string(read);
                 },
                 {.threads = 2, .max_threads = 3, .max_reads = 5, .timeout = 10s}};
  std::vector<std::string> results_;
};

TEST_F(ReadPoolTest, RequestsShareAReadThatHasNotStarted) {
  request("a");
  request("a");
  request("a");
  run_ready_handlers();
  gate_->may_finish.release();
  wait_for_results(3);
  EXPECT_EQ(results_, (std::vector<std::string>{"a1", "a1", "a1"}));
}

TEST_F(ReadPoolTest, RequestsAfterTheStartGetTheNextRead) {
  request("a");
  run_ready_handlers();
  gate_->started.acquire();
  request("a");
  request("a");
  gate_->may_finish.release();
  wait_for_results(1);
  EXPECT_EQ(results_.back(), "a1");
  run_ready_handlers();
  gate_->may_finish.release();
  wait_for_results(3);
  EXPECT_EQ(results_, (std::vector<std::string>{"a1", "a2", "a2"}));
}

TEST_F(ReadPoolTest, AReadThatHangsDoesNotDelayOthers) {
  request("hangs");
  run_ready_handlers();
  gate_->started.acquire();
  request("b");
  run_ready_handlers();
  gate_->started.acquire();
  gate_->may_finish.release(2);  // either may end first; neither waits for the other
  wait_for_results(2);
}

TEST_F(ReadPoolTest, FailsAfterTheTimeoutAndThenImmediately) {
  request("a");
  run_ready_handlers();
  gate_->started.acquire();
  request("a");
  pool_.expire(ReadPool::Clock::now());
  EXPECT_TRUE(results_.empty());
  pool_.expire(ReadPool::Clock::now() + 11s);
  EXPECT_EQ(results_, (std::vector<std::string>{"failed", "failed"}));
  request("a");
  run_ready_handlers();
  EXPECT_EQ(results_.size(), 3U);
  EXPECT_EQ(results_.back(), "failed");
  // After the read ends, requests succeed again.
  gate_->may_finish.release();
  while (results_.back() == "failed") {
    loop_.run_one_for(10ms);
    gate_->may_finish.release();
    request("a");
  }
}

TEST_F(ReadPoolTest, ReplacesThreadsThatHangUpToALimit) {
  for (const char* id : {"hangs1", "hangs2", "waits"}) {
    request(id);
    run_ready_handlers();
  }
  gate_->started.acquire();
  gate_->started.acquire();
  pool_.expire(ReadPool::Clock::now() + later);
  EXPECT_EQ(results_.size(), 3U);
  request("third");
  run_ready_handlers();
  gate_->started.acquire();  // a third thread reads it
  pool_.expire(ReadPool::Clock::now() + later);
  EXPECT_EQ(results_.size(), 4U);
  // Now every thread hangs: a request fails at once.
  request("fourth");
  run_ready_handlers();
  EXPECT_EQ(results_, (std::vector<std::string>(5, "failed")));
  // A thread that returns serves requests again.
  gate_->may_finish.release(3);
  while (results_.back() == "failed") {
    loop_.run_one_for(10ms);
    gate_->may_finish.release();
    request("fourth");
  }
}

TEST_F(ReadPoolTest, DropsAReadThatNobodyWaitsFor) {
  request("a");
  run_ready_handlers();
  request("b");
  run_ready_handlers();
  gate_->started.acquire();
  gate_->started.acquire();
  request("dropped");
  run_ready_handlers();
  pool_.expire(ReadPool::Clock::now() + later);
  gate_->may_finish.release(2);
  request("c");
  run_ready_handlers();
  gate_->may_finish.release();
  while (results_.back() == "failed") {
    loop_.run_one();
  }
  EXPECT_TRUE(results_.back().starts_with("c")) << results_.back();
  EXPECT_EQ(gate_->reads, 3);
}

TEST_F(ReadPoolTest, LimitsTheNumberOfReads) {
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    request(id);
    run_ready_handlers();
  }
  EXPECT_TRUE(results_.empty());
  request("f");
  run_ready_handlers();
  EXPECT_EQ(results_, std::vector<std::string>{"failed"});
  request("a");  // no further read
  run_ready_handlers();
  EXPECT_EQ(results_.size(), 1U);
}

/// A time that passes only while a thread reads or waits.
struct SlowTime {
  std::mutex mutex;
  ReadPool::Clock::time_point now{1h};
  std::vector<ReadPool::Clock::time_point> starts;

  void pass(ReadPool::Clock::duration duration) {
    const std::lock_guard lock{mutex};
    now += duration;
  }
};

TEST(ReadPoolPause, AThreadPausesAfterARead) {
  const auto time = std::make_shared<SlowTime>();
  boost::asio::io_context loop;
  const auto work = boost::asio::make_work_guard(loop);
  ReadPool pool{loop,
                [time](const Route&) -> tl::expected<std::string, ReadError> {
                  {
                    const std::lock_guard lock{time->mutex};
                    time->starts.push_back(time->now);
                  }
                  time->pass(100ms);
                  return std::string{};
                },
                {.threads = 1,
                 .max_threads = 1,
                 .max_reads = 5,
                 .timeout = 10s,
                 .pause_factor = 9,
                 .now =
                     [time] {
                       const std::lock_guard lock{time->mutex};
                       return time->now;
                     },
                 .wait = [time](std::condition_variable&, std::unique_lock<std::mutex>&,
                                ReadPool::Clock::duration duration) { time->pass(duration); }}};
  int results = 0;
  for (int read = 1; read <= 3; ++read) {
    pool.async_read(Route{}, ReadPool::Clock::now(), [&](const ReadPool::Result&) { ++results; });
    while (results < read) {
      loop.run_one();
    }
  }
  const std::lock_guard lock{time->mutex};
  const auto first = ReadPool::Clock::time_point{1h};
  EXPECT_EQ(time->starts, (std::vector{first, first + 1s, first + 2s}));
}

}  // namespace
}  // namespace hypeman::httpbridge
