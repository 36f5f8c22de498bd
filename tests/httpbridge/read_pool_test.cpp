#include "httpbridge/http/read_pool.hpp"

#include <atomic>
#include <semaphore>
#include <thread>

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

  // Lets the pool's threads end.
  void TearDown() override { gate_->may_finish.release(100); }

  static Route stats_of(const std::string& id) { return {RouteKind::instance_stats, id}; }

  void request(const std::string& id) {
    pool_.async_read(stats_of(id), [this](const ReadPool::Result& result) {
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
                 10s};
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

}  // namespace
}  // namespace hypeman::httpbridge
