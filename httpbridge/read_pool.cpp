#include "httpbridge/read_pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace hypeman::httpbridge {
namespace {

// Enough that a slow read of everything (metrics.prom) leaves threads for single instances.
constexpr std::size_t thread_count = 4;

// How long the end of the program waits for reads that are still running.
constexpr std::chrono::seconds patience{1};

}  // namespace

struct ReadPool::Job {
  Resource resource;
  std::atomic<bool> started = false;
  Result result = tl::unexpected(ReadFailure::unavailable);
};

/// What the loop and the threads pass to each other. The threads own it too: one that hangs in a
/// read may outlive the pool.
struct ReadPool::Exchange : std::enable_shared_from_this<Exchange> {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Job>> queue;
  std::vector<std::shared_ptr<Job>> done;
  ReadPool* pool = nullptr;  // null once the pool is gone
  boost::asio::io_context* loop = nullptr;
  std::size_t running = thread_count;
  std::condition_variable ended;

  void work(const ReadFunction& read);
  void deliver();
};

namespace {

ReadPool::Result read_body(const ReadPool::ReadFunction& read, const Resource& resource) {
  try {
    return read(resource).map([](std::string&& contents) {
      return std::make_shared<const std::string>(std::move(contents));
    });
  } catch (const std::exception& error) {  // out of memory, at worst
    spdlog::error("a read failed: {}", error.what());
    return tl::unexpected(ReadFailure::failed);
  }
}

}  // namespace

void ReadPool::Exchange::work(const ReadFunction& read) {
  std::unique_lock lock{mutex};
  while (pool != nullptr) {
    if (queue.empty()) {
      wake.wait(lock);
      continue;
    }
    const std::shared_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    job->started = true;
    job->result = read_body(read, job->resource);
    lock.lock();
    done.push_back(job);
    if (done.size() == 1 && pool != nullptr) {
      boost::asio::post(*loop, [self = shared_from_this()] { self->deliver(); });
    }
  }
  --running;
  ended.notify_all();
}

// On the loop, as the pool's destructor is: the pool cannot go away in between.
void ReadPool::Exchange::deliver() {
  std::vector<std::shared_ptr<Job>> finished;
  {
    const std::lock_guard lock{mutex};
    finished.swap(done);
  }
  for (const auto& job : finished) {
    if (pool != nullptr) {
      pool->finish(job, job->result);
    }
  }
}

ReadPool::ReadPool(boost::asio::io_context& loop, const ReadFunction& read, Clock::duration bound)
    : loop_(loop), bound_(bound), exchange_(std::make_shared<Exchange>()) {
  exchange_->pool = this;
  exchange_->loop = &loop;
  for (std::size_t i = 0; i < thread_count; ++i) {
    std::thread{[exchange = exchange_, read] { exchange->work(read); }}.detach();
  }
}

ReadPool::~ReadPool() {
  std::unique_lock lock{exchange_->mutex};
  exchange_->pool = nullptr;
  exchange_->wake.notify_all();
  exchange_->ended.wait_for(lock, patience, [this] { return exchange_->running == 0; });
}

void ReadPool::async_read(const Resource& resource, Handler handler) {
  const auto now = Clock::now();
  auto [found, is_new] = pending_.try_emplace(resource);
  Pending& pending = found->second;
  if (is_new) {
    pending.sharing.push_back({std::move(handler), now});
    enqueue(resource, pending);
  } else if (pending.overdue) {
    handler(tl::unexpected(ReadFailure::unavailable));
  } else {
    // Not started at this moment means: it starts after this request arrived.
    auto& waiters = pending.job->started ? pending.next : pending.sharing;
    waiters.push_back({std::move(handler), now});
  }
}

void ReadPool::expire(Clock::time_point now) {
  std::vector<Waiter> late;
  for (auto& [resource, pending] : pending_) {
    for (auto* waiters : {&pending.sharing, &pending.next}) {
      const auto still = std::find_if(waiters->begin(), waiters->end(), [&](const Waiter& waiter) {
        return now - waiter.since < bound_;
      });
      pending.overdue = pending.overdue || still != waiters->begin();
      std::move(waiters->begin(), still, std::back_inserter(late));
      waiters->erase(waiters->begin(), still);
    }
  }
  {
    const std::lock_guard lock{exchange_->mutex};
    if (!exchange_->queue.empty()) {
      exchange_->wake.notify_one();
    }
  }
  for (const Waiter& waiter : late) {
    waiter.handler(tl::unexpected(ReadFailure::unavailable));
  }
}

void ReadPool::enqueue(const Resource& resource, Pending& pending) {
  pending.job = std::make_shared<Job>();
  pending.job->resource = resource;
  outbox_.push_back(pending.job);
  if (outbox_.size() == 1) {
    // Only after the requests that are ready in this turn of the loop have been parsed: those for
    // the same file then share the read.
    boost::asio::post(loop_, [this] { hand_over(); });
  }
}

void ReadPool::hand_over() {
  {
    const std::lock_guard lock{exchange_->mutex};
    std::move(outbox_.begin(), outbox_.end(), std::back_inserter(exchange_->queue));
  }
  outbox_.clear();
  // One thread a turn: a read is shorter than waking a thread for it, and the next turn wakes
  // another if this one does not get through. That a read hangs and no turn follows is for
  // expire() to notice.
  exchange_->wake.notify_one();
}

void ReadPool::finish(const std::shared_ptr<Job>& job, const Result& result) {
  const auto found = pending_.find(job->resource);
  Pending& pending = found->second;
  const std::vector<Waiter> answered = std::move(pending.sharing);
  if (pending.next.empty()) {
    pending_.erase(found);
  } else {
    pending.sharing = std::exchange(pending.next, {});
    pending.overdue = false;
    enqueue(job->resource, pending);
  }
  // Last, because a handler may ask for the next read.
  for (const Waiter& waiter : answered) {
    waiter.handler(result);
  }
}

}  // namespace hypeman::httpbridge
