#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/result.hpp"

namespace hypeman::collector {

/// Threads for jobs that can hang in the kernel. Nobody waits for these threads: a hung one ends
/// when the kernel returns, also after the destructor has run. So a job must own or share all that
/// it uses. Threads start when they are needed. Thread-safe.
class CheckerThreads {
 public:
  static constexpr std::size_t max_threads = 64;
  static constexpr std::size_t max_idle_threads = 2;

  CheckerThreads();
  CheckerThreads(const CheckerThreads&) = delete;
  CheckerThreads& operator=(const CheckerThreads&) = delete;
  CheckerThreads(CheckerThreads&&) = delete;
  CheckerThreads& operator=(CheckerThreads&&) = delete;
  ~CheckerThreads();

  /// Runs the job in a thread that does nothing else meanwhile. The job must not throw. EAGAIN: all
  /// threads are busy, or no thread can be started.
  [[nodiscard]] Result<void> run(std::function<void()> job);

 private:
  struct State;

  std::shared_ptr<State> state_;  // shared with the threads
};

}  // namespace hypeman::collector
