#include "collector/kernel/checker_threads.hpp"

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace hypeman::collector {

struct CheckerThreads::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;  // each is for one of the idle threads
  std::size_t threads = 0;
  std::size_t idle_threads = 0;
  bool is_closed = false;

  /// What a thread does. `job` is its first job.
  void work(std::function<void()> job) {
    while (job) {
      job();
      job = nullptr;  // releases what it uses
      job = next_job();
    }
  }

  /// Waits for a job. Empty: the thread must end.
  std::function<void()> next_job() {
    std::unique_lock lock{mutex};
    if (idle_threads < max_idle_threads) {
      ++idle_threads;
      changed.wait(lock, [&] { return is_closed || !jobs.empty(); });
      --idle_threads;
      if (!jobs.empty()) {
        auto job = std::move(jobs.front());
        jobs.pop_front();
        return job;
      }
    }
    --threads;
    return nullptr;
  }
};

CheckerThreads::CheckerThreads() : state_{std::make_shared<State>()} {}

CheckerThreads::~CheckerThreads() {
  {
    const std::lock_guard lock{state_->mutex};
    state_->is_closed = true;
  }
  state_->changed.notify_all();
}

Result<void> CheckerThreads::run(std::function<void()> job) {
  const std::lock_guard lock{state_->mutex};
  try {
    if (state_->jobs.size() < state_->idle_threads) {
      state_->jobs.push_back(std::move(job));
      state_->changed.notify_one();
      return {};
    }
    if (state_->threads == max_threads) {
      return failure(EAGAIN);
    }
    std::thread{[state = state_, job = std::move(job)]() mutable {
      state->work(std::move(job));
    }}.detach();
    ++state_->threads;
    return {};
  } catch (const std::exception& /*no thread, or no memory*/) {
    return failure(EAGAIN);
  }
}

}  // namespace hypeman::collector
