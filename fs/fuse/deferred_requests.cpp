#include "fs/fuse/deferred_requests.hpp"

#include <system_error>
#include <thread>
#include <utility>

namespace hypeman::fs {

DeferredRequests::~DeferredRequests() {
  std::unique_lock lock{mutex_};
  thread_ended_.wait(lock, [this] { return threads_ == 0; });
}

bool DeferredRequests::add(std::function<void()> request) {
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
    std::thread{[this] { answer_all(); }}.detach();
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
  // With the mutex: the object may be destroyed as soon as it is released.
  thread_ended_.notify_all();
}

}  // namespace hypeman::fs
