#include "fs/fuse/deferred_requests.hpp"

#include <system_error>
#include <thread>
#include <utility>

namespace hypeman::fs {

bool DeferredRequests::wait_until_idle(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock{mutex_};
  return thread_ended_.wait_until(lock, deadline, [this] { return threads_ == 0; });
}

bool DeferredRequests::add(std::shared_ptr<void> owner, std::function<void()> request) {
  {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() == max_waiting) {
      return false;
    }
    waiting_.push_back(std::move(request));
    if (threads_ == max_threads) {
      return true;
    }
    ++threads_;
  }
  try {
    std::thread{[this, owner = std::move(owner)] { answer_all(); }}.detach();
  } catch (const std::system_error&) {
    answer_all();
  }
  return true;
}

void DeferredRequests::answer_all() {
  std::unique_lock lock{mutex_};
  while (!waiting_.empty()) {
    const auto request = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    request();
    lock.lock();
  }
  --threads_;
  thread_ended_.notify_all();
}

}  // namespace hypeman::fs
