#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace hypeman::fs {

/// Answers requests that may wait or take long in threads of their own, so that other readers do
/// not wait for them. The users take turns. A thread ends when there is nothing to do. Thread-safe.
class DeferredRequests {
 public:
  static constexpr std::size_t max_waiting_of_user = 1024;

  explicit DeferredRequests(std::size_t max_threads) : max_threads_{max_threads} {}
  DeferredRequests(const DeferredRequests&) = delete;
  DeferredRequests& operator=(const DeferredRequests&) = delete;
  DeferredRequests(DeferredRequests&&) = delete;
  DeferredRequests& operator=(DeferredRequests&&) = delete;

  ~DeferredRequests() = default;

  /// `request` answers one request and throws nothing. If no thread can be started, it runs in the
  /// caller's thread. The threads keep `owner`, which owns this object and all that the request
  /// uses: nobody can wait for a thread that hangs in the kernel. False: too many requests of the
  /// user are waiting already, and this one was not taken.
  [[nodiscard]] bool add(std::shared_ptr<void> owner, uid_t user, std::function<void()> request);

  /// False: after the deadline, some requests are still not answered.
  bool wait_until_idle(std::chrono::steady_clock::time_point deadline);

 private:
  [[nodiscard]] std::function<void()> take_next();
  void answer_all();

  const std::size_t max_threads_;
  std::mutex mutex_;  // not held while a request is answered
  std::condition_variable thread_ended_;
  std::map<uid_t, std::deque<std::function<void()>>> waiting_;
  uid_t last_user_ = 0;
  std::size_t threads_ = 0;
};

}  // namespace hypeman::fs
