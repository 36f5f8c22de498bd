#include "httpbridge/http/read_pool.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <iterator>
#include <system_error>
#include <thread>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace hypeman::httpbridge {
namespace {

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
  std::atomic<bool> is_taken = false;  // by a thread, or by the event loop, which drops it
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
  ReadFunction read_function;
  Settings settings;
  std::size_t wanted_threads = 0;
  std::size_t running_threads = 0;
  std::condition_variable thread_ended;

  void set_threads(std::size_t count);
  void run_thread();
  void complete_finished_reads();
};

/// Starts threads up to this number. Surplus threads end after their current read.
void ReadPool::WorkQueue::set_threads(std::size_t count) {
  std::size_t missing = 0;
  {
    const std::lock_guard lock{mutex};
    wanted_threads = count;
    missing = count - std::min(count, running_threads);
    running_threads += missing;
  }
  try {
    for (; missing > 0; --missing) {
      std::thread{[queue = shared_from_this()] { queue->run_thread(); }}.detach();
    }
  } catch (...) {
    const std::lock_guard lock{mutex};
    running_threads -= missing;
    throw;
  }
}

void ReadPool::WorkQueue::run_thread() {
  std::unique_lock lock{mutex};
  auto pause_end = Clock::time_point::min();
  while (pool != nullptr && running_threads <= wanted_threads) {
    if (queued.empty()) {
      wake.wait(lock);
      continue;
    }
    const auto begin = settings.now();
    if (begin < pause_end) {
      settings.wait(wake, lock, pause_end - begin);
      continue;
    }
    const std::shared_ptr<Read> read = std::move(queued.front());
    queued.pop_front();
    if (read->is_taken.exchange(true)) {
      continue;
    }
    lock.unlock();
    read->result = read_body(read_function, read->route);
    const auto end = settings.now();
    pause_end = end + settings.pause_factor * (end - begin);
    lock.lock();
    finished.push_back(read);
    if (finished.size() == 1 && pool != nullptr) {
      boost::asio::post(*loop, [self = shared_from_this()] { self->complete_finished_reads(); });
    }
  }
  --running_threads;
  wake.notify_one();  // it may have been this thread that was woken for a read
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

ReadPool::ReadPool(boost::asio::io_context& loop, ReadFunction read, Settings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      threads_(settings_.threads),
      queue_(std::make_shared<WorkQueue>()) {
  queue_->pool = this;
  queue_->loop = &loop;
  queue_->read_function = std::move(read);
  queue_->settings = settings_;
  queue_->set_threads(threads_);
}

ReadPool::~ReadPool() {
  std::unique_lock lock{queue_->mutex};
  queue_->pool = nullptr;
  queue_->wake.notify_all();
  queue_->thread_ended.wait_for(lock, shutdown_timeout,
                                [this] { return queue_->running_threads == 0; });
}

bool ReadPool::refuses(const Route& route) const {
  const auto found = routes_.find(route);
  if (is_closed_ || found != routes_.end()) {
    return is_closed_ || found->second.hangs;
  }
  return routes_.size() >= settings_.max_reads || hung_reads_ >= threads_;
}

void ReadPool::start(Route route, Clock::time_point since, Handler handler) {
  if (refuses(route)) {
    boost::asio::post(
        loop_, [handler = std::move(handler)] { handler(tl::unexpected(ReadError::unavailable)); });
    return;
  }
  const auto [found, is_new] = routes_.try_emplace(std::move(route));
  RouteReads& reads = found->second;
  if (is_new) {
    enqueue(found->first, reads);
  }
  // A read that no thread has taken yet will start after this request.
  auto& waiters = reads.current->is_taken ? reads.later_waiters : reads.waiters;
  waiters.push_back({std::move(handler), since});
}

void ReadPool::enqueue(const Route& route, RouteReads& reads) {
  reads.current = std::make_shared<Read>(route);
  reads.since = Clock::now();
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
  if (reads.hangs) {
    reads.hangs = false;
    set_hung_reads(hung_reads_ - 1);
  }
  if (reads.later_waiters.empty()) {
    routes_.erase(found);
  } else {
    reads.waiters = std::exchange(reads.later_waiters, {});
    enqueue(read.route, reads);
  }
  // A handler may start another read, so the handlers run last.
  for (const Waiter& waiter : completed) {
    waiter.handler(read.result);
  }
}

void ReadPool::set_hung_reads(std::size_t count) {
  if (hung_reads_ == 0) {
    spdlog::error(
        "the mounted statistics have not answered a read in time; the bridge answers 503 for it; "
        "look at the log of hypeman-statsfs");
  } else if (count == 0) {
    spdlog::info("the mounted statistics have answered all reads");
  }
  hung_reads_ = count;
  threads_ = std::min(settings_.threads + hung_reads_, settings_.max_threads);
  try {
    queue_->set_threads(threads_);
  } catch (const std::system_error& error) {
    spdlog::error("cannot start a thread: {}; raise TasksMax=", error.what());
  }
}

void ReadPool::expire(Clock::time_point now) {
  std::vector<Waiter> expired;
  std::size_t hung_reads = hung_reads_;
  for (auto next = routes_.begin(); next != routes_.end();) {
    RouteReads& reads = next->second;
    for (auto* waiters : {&reads.waiters, &reads.later_waiters}) {
      const auto first_expired = std::partition(
          waiters->begin(), waiters->end(),
          [&](const Waiter& waiter) { return now - waiter.since < settings_.timeout; });
      std::move(first_expired, waiters->end(), std::back_inserter(expired));
      waiters->erase(first_expired, waiters->end());
    }
    if (reads.waiters.empty() && !reads.current->is_taken.exchange(true)) {
      next = routes_.erase(next);
      continue;
    }
    if (reads.current->is_taken && !reads.hangs && now - reads.since >= settings_.timeout) {
      reads.hangs = true;
      ++hung_reads;
    }
    ++next;
  }
  {
    const std::lock_guard lock{queue_->mutex};
    std::erase_if(queue_->queued, [](const auto& read) { return read->is_taken.load(); });
    if (!queue_->queued.empty()) {
      queue_->wake.notify_one();
    }
  }
  if (hung_reads != hung_reads_) {
    set_hung_reads(hung_reads);
  }
  for (const Waiter& waiter : expired) {
    waiter.handler(tl::unexpected(ReadError::unavailable));
  }
}

void ReadPool::fail_all() {
  is_closed_ = true;
  std::vector<Waiter> waiting;
  for (auto& [route, reads] : routes_) {
    for (auto* waiters : {&reads.waiters, &reads.later_waiters}) {
      std::move(waiters->begin(), waiters->end(), std::back_inserter(waiting));
      waiters->clear();
    }
  }
  for (const Waiter& waiter : waiting) {
    waiter.handler(tl::unexpected(ReadError::unavailable));
  }
}

}  // namespace hypeman::httpbridge
