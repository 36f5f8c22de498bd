#include "httpbridge/http/read_pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <mutex>
#include <thread>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace hypeman::httpbridge {
namespace {

// More than one, so that a slow read of metrics.prom does not delay reads of single instances.
constexpr std::size_t thread_count = 4;

constexpr std::chrono::seconds shutdown_timeout{1};

ReadPool::Result read_body(const ReadPool::ReadFunction& read, const Route& route) {
  try {
    return read(route).map([](std::string&& contents) {
      return std::make_shared<const std::string>(std::move(contents));
    });
  } catch (const std::exception& error) {  // for example std::bad_alloc
    spdlog::error("a read failed: {}", error.what());
    return tl::unexpected(ReadError::failed);
  }
}

}  // namespace

struct ReadPool::Read {
  explicit Read(Route route_to_read) : route(std::move(route_to_read)) {}

  const Route route;
  std::atomic<bool> started = false;
  Result result = tl::unexpected(ReadError::unavailable);
};

/// The queues between the event loop and the threads. The threads share the ownership, because a
/// thread that hangs in a read may outlive the pool.
struct ReadPool::WorkQueue : std::enable_shared_from_this<WorkQueue> {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Read>> queued;
  std::vector<std::shared_ptr<Read>> finished;
  ReadPool* pool = nullptr;  // null after the pool's destruction
  boost::asio::io_context* loop = nullptr;
  std::size_t running_threads = thread_count;
  std::condition_variable thread_ended;

  void run_thread(const ReadFunction& read_function);
  void complete_finished_reads();
};

void ReadPool::WorkQueue::run_thread(const ReadFunction& read_function) {
  std::unique_lock lock{mutex};
  while (pool != nullptr) {
    if (queued.empty()) {
      wake.wait(lock);
      continue;
    }
    const std::shared_ptr<Read> read = std::move(queued.front());
    queued.pop_front();
    lock.unlock();
    read->started = true;
    read->result = read_body(read_function, read->route);
    lock.lock();
    finished.push_back(read);
    if (finished.size() == 1 && pool != nullptr) {
      boost::asio::post(*loop, [self = shared_from_this()] { self->complete_finished_reads(); });
    }
  }
  --running_threads;
  thread_ended.notify_all();
}

// The event loop's thread also destroys the pool, so the pool exists until this returns.
void ReadPool::WorkQueue::complete_finished_reads() {
  std::vector<std::shared_ptr<Read>> reads;
  {
    const std::lock_guard lock{mutex};
    reads.swap(finished);
  }
  for (const auto& read : reads) {
    if (pool != nullptr) {
      pool->finish(*read);
    }
  }
}

ReadPool::ReadPool(boost::asio::io_context& loop, const ReadFunction& read, Clock::duration timeout)
    : loop_(loop), timeout_(timeout), queue_(std::make_shared<WorkQueue>()) {
  queue_->pool = this;
  queue_->loop = &loop;
  for (std::size_t i = 0; i < thread_count; ++i) {
    std::thread{[queue = queue_, read] { queue->run_thread(read); }}.detach();
  }
}

ReadPool::~ReadPool() {
  std::unique_lock lock{queue_->mutex};
  queue_->pool = nullptr;
  queue_->wake.notify_all();
  queue_->thread_ended.wait_for(lock, shutdown_timeout,
                                [this] { return queue_->running_threads == 0; });
}

void ReadPool::start(Route route, Handler handler) {
  const auto [found, is_new] = routes_.try_emplace(std::move(route));
  RouteReads& reads = found->second;
  if (is_new) {
    enqueue(found->first, reads);
  }
  if (reads.is_overdue) {
    boost::asio::post(
        loop_, [handler = std::move(handler)] { handler(tl::unexpected(ReadError::unavailable)); });
    return;
  }
  // A read that has not started yet will start after this request.
  auto& waiters = reads.current->started ? reads.later_waiters : reads.waiters;
  waiters.push_back({std::move(handler), Clock::now()});
}

void ReadPool::enqueue(const Route& route, RouteReads& reads) {
  reads.current = std::make_shared<Read>(route);
  new_reads_.push_back(reads.current);
  if (new_reads_.size() == 1) {
    // Requests that are ready in this iteration of the event loop are parsed first. They can then
    // share the read.
    boost::asio::post(loop_, [this] { submit_new_reads(); });
  }
}

void ReadPool::submit_new_reads() {
  {
    const std::lock_guard lock{queue_->mutex};
    std::move(new_reads_.begin(), new_reads_.end(), std::back_inserter(queue_->queued));
  }
  new_reads_.clear();
  // Wakes only one thread, because a read usually takes less time than waking a second thread. If
  // reads remain in the queue, the next call wakes another thread. If all clients wait and no call
  // follows, expire() wakes it.
  queue_->wake.notify_one();
}

void ReadPool::finish(const Read& read) {
  const auto found = routes_.find(read.route);
  RouteReads& reads = found->second;
  const std::vector<Waiter> completed = std::move(reads.waiters);
  if (reads.later_waiters.empty()) {
    routes_.erase(found);
  } else {
    reads.waiters = std::exchange(reads.later_waiters, {});
    reads.is_overdue = false;
    enqueue(read.route, reads);
  }
  // A handler may start another read, so the handlers run last.
  for (const Waiter& waiter : completed) {
    waiter.handler(read.result);
  }
}

void ReadPool::expire(Clock::time_point now) {
  std::vector<Waiter> expired;
  for (auto& [route, reads] : routes_) {
    for (auto* waiters : {&reads.waiters, &reads.later_waiters}) {
      const auto first_in_time =
          std::find_if(waiters->begin(), waiters->end(),
                       [&](const Waiter& waiter) { return now - waiter.since < timeout_; });
      reads.is_overdue = reads.is_overdue || first_in_time != waiters->begin();
      std::move(waiters->begin(), first_in_time, std::back_inserter(expired));
      waiters->erase(waiters->begin(), first_in_time);
    }
  }
  {
    const std::lock_guard lock{queue_->mutex};
    if (!queue_->queued.empty()) {
      queue_->wake.notify_one();
    }
  }
  for (const Waiter& waiter : expired) {
    waiter.handler(tl::unexpected(ReadError::unavailable));
  }
}

}  // namespace hypeman::httpbridge
