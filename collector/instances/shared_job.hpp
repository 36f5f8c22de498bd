#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace hypeman::collector {

/// Runs a costly job once for all threads that ask for its result at the same time. The result is
/// never older than the call: a thread that asks during a run gets the result of the next run.
/// Thread-safe.
template <class Result>
class SharedJob {
 public:
  using Clock = std::chrono::steady_clock;

  /// After a run, the next one waits `rest` times as long as the run took, but at most a second. So
  /// the job takes at most 1 / (rest + 1) of one CPU, however often it is asked for.
  explicit SharedJob(int rest = 0) : rest_{rest} {}

  /// If the job throws, the exception leaves this call, and another waiting thread runs its own
  /// job.
  template <class Job>
  [[nodiscard]] Result run(Job job) {
    std::unique_lock lock{mutex_};
    const auto wanted = begun_ + 1;
    const Waiting waiting{*this};
    while (ended_ < wanted) {
      if (running_) {
        changed_.wait(lock);
      } else if (Clock::now() < rest_until_) {
        changed_.wait_until(lock, rest_until_);
      } else {
        lead(lock, job);
      }
    }
    return waiting_ == 1 ? std::exchange(result_, Result{}) : result_;
  }

  /// Until when the next run waits.
  [[nodiscard]] Clock::time_point rest_until() const {
    const std::lock_guard lock{mutex_};
    return rest_until_;
  }

 private:
  /// Counts a call of run() while it holds the mutex. The last one does not leave the result
  /// behind, because it may be large.
  struct Waiting {
    explicit Waiting(SharedJob& shared) : job{shared} { ++job.waiting_; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    Waiting(Waiting&&) = delete;
    Waiting& operator=(Waiting&&) = delete;
    ~Waiting() { --job.waiting_; }
    SharedJob& job;
  };

  template <class Job>
  void lead(std::unique_lock<std::mutex>& lock, Job& job) {
    constexpr std::chrono::seconds max_rest{1};
    running_ = true;
    const auto number = ++begun_;
    lock.unlock();
    const auto begin = Clock::now();
    std::exception_ptr error;
    Result result{};
    try {
      result = job();
    } catch (...) {
      error = std::current_exception();
    }
    const auto end = Clock::now();
    lock.lock();
    running_ = false;
    rest_until_ = end + std::min<Clock::duration>(rest_ * (end - begin), max_rest);
    changed_.notify_all();
    if (error) {
      std::rethrow_exception(error);
    }
    result_ = std::move(result);
    ended_ = number;
  }

  const int rest_;
  mutable std::mutex mutex_;  // not held while a job runs
  std::condition_variable changed_;
  bool running_ = false;
  std::uint64_t begun_ = 0;
  std::uint64_t waiting_ = 0;  // calls of run() that have not returned
  std::uint64_t ended_ = 0;    // the number of the last run that succeeded
  Clock::time_point rest_until_;
  Result result_{};
};

}  // namespace hypeman::collector
