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

/// A pool whose reads wait until the test allows them.
class ReadPoolTest : public ::testing::Test {
 protected:
  struct Gate {
    std::counting_semaphore<> begun{0};
    std::counting_semaphore<> may_end{0};
    std::atomic<int> reads = 0;
  };

  // Allows the pool's threads to end.
  void TearDown() override { gate_->may_end.release(100); }

  static Route stats_of(const std::string& id) { return {RouteKind::instance_stats, id}; }

  void ask(const std::string& id) {
    pool_.async_read(stats_of(id), [this](const ReadPool::Result& result) {
      answers_.push_back(result ? **result : "failed");
    });
  }
  void turn() {
    loop_.restart();
    loop_.poll();
  }
  void await_answers(std::size_t count) {
    loop_.restart();
    while (answers_.size() < count) {
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
                   gate->begun.release();
                   gate->may_end.acquire();
                   return route.instance + std::to_string(read);
                 },
                 10s};
  std::vector<std::string> answers_;
};

TEST_F(ReadPoolTest, RequestsBeforeTheStartShareARead) {
  ask("a");
  ask("a");
  ask("a");
  turn();
  gate_->may_end.release();
  await_answers(3);
  EXPECT_EQ(answers_, (std::vector<std::string>{"a1", "a1", "a1"}));
}

TEST_F(ReadPoolTest, RequestsAfterTheStartGetTheNextRead) {
  ask("a");
  turn();
  gate_->begun.acquire();
  ask("a");
  ask("a");
  gate_->may_end.release();
  await_answers(1);
  EXPECT_EQ(answers_.back(), "a1");
  turn();
  gate_->may_end.release();
  await_answers(3);
  EXPECT_EQ(answers_, (std::vector<std::string>{"a1", "a2", "a2"}));
}

TEST_F(ReadPoolTest, AHangingReadDoesNotDelayOtherReads) {
  ask("hangs");
  turn();
  gate_->begun.acquire();
  ask("b");
  turn();
  gate_->begun.acquire();
  gate_->may_end.release(2);  // either can end first; neither waits for the other
  await_answers(2);
}

TEST_F(ReadPoolTest, FailsAfterTheTimeoutAndThenAtOnce) {
  ask("a");
  turn();
  gate_->begun.acquire();
  ask("a");
  pool_.expire(ReadPool::Clock::now());
  EXPECT_TRUE(answers_.empty());
  pool_.expire(ReadPool::Clock::now() + 11s);
  EXPECT_EQ(answers_, (std::vector<std::string>{"failed", "failed"}));
  ask("a");
  turn();
  EXPECT_EQ(answers_.size(), 3U);
  EXPECT_EQ(answers_.back(), "failed");
  // After the read has ended, the pool works as before.
  gate_->may_end.release();
  while (answers_.back() == "failed") {
    loop_.run_one_for(10ms);
    gate_->may_end.release();
    ask("a");
  }
}

}  // namespace
}  // namespace hypeman::httpbridge
