#include "fs/fuse/deferred_requests.hpp"

#include <thread>
#include <utility>

#include "fs/ring/affinity.hpp"

namespace hypeman::fs {

bool DeferredRequests::wait_until_idle(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock{mutex_};
  return thread_ended_.wait_until(lock, deadline, [this] { return threads_ == 0; });
}

bool DeferredRequests::add(std::shared_ptr<void> owner, uid_t user, std::function<void()> request) {
  {
    const std::lock_guard lock{mutex_};
    auto& of_user = waiting_[user];
    if (of_user.size() == max_waiting_of_user) {
      return false;
    }
    of_user.push_back(std::move(request));
    if (threads_ == max_threads_) {
      return true;
    }
    ++threads_;
  }
  try {
    std::thread{[this, owner = std::move(owner)] {
      run_on_any_cpu();  // the thread of a ring, which may have started this one, is bound to a CPU
      answer_all();
    }}.detach();
  } catch (...) {
    {
      const std::lock_guard lock{mutex_};
      if (threads_ > 1) {
        --threads_;
        return true;  // another thread answers it
      }
    }
    answer_all();
  }
  return true;
}

/// The caller holds the mutex, and a user has a queue.
std::function<void()> DeferredRequests::take_next() {
  auto next = waiting_.upper_bound(last_user_);
  if (next == waiting_.end()) {
    next = waiting_.begin();
  }
  last_user_ = next->first;
  std::function<void()> request;
  if (!next->second.empty()) {  // it is empty if there was no memory for the user's first request
    request = std::move(next->second.front());
    next->second.pop_front();
  }
  if (next->second.empty()) {
    waiting_.erase(next);
  }
  return request;
}

void DeferredRequests::answer_all() {
  std::unique_lock lock{mutex_};
  while (!waiting_.empty()) {
    {
      const auto request = take_next();
      lock.unlock();
      if (request) {
        request();
      }
    }
    lock.lock();
  }
  --threads_;
  thread_ended_.notify_all();
}

}  // namespace hypeman::fs
