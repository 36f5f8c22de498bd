#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "httpbridge/http/reply.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/mount/read_error.hpp"

namespace hypeman::httpbridge {

/// Makes the reads of routes on a few threads. A file system that hangs then does not block the
/// event loop. A thread that hangs is replaced, up to a limit, so other reads go on.
///
/// At most one read of a route runs at a time. Requests share a read if all of them arrived before
/// it started, so a result is always newer than the request. A request that arrives later waits for
/// the next read. Only the thread of the event loop may call the members.
class ReadPool {
 public:
  using Clock = std::chrono::steady_clock;
  /// Blocks. Several of the pool's threads call it at the same time.
  using ReadFunction = std::function<tl::expected<std::string, ReadError>(const Route& route)>;
  using Result = tl::expected<Body, ReadError>;

  struct Settings {
    std::size_t threads = 1;
    std::size_t max_threads = 1;  ///< with the replacements of threads that hang
    std::size_t max_reads = 1;    ///< queued and running; a request above it fails at once
    /// A request that waits longer gets ReadError::unavailable. A read that takes longer hangs.
    Clock::duration timeout{};
    /// After a read that took the time t, its thread pauses for pause_factor * t.
    int pause_factor = 0;
    /// The clock of the pauses, and a wait that may end early.
    std::function<Clock::time_point()> now = Clock::now;
    std::function<void(std::condition_variable&, std::unique_lock<std::mutex>&, Clock::duration)>
        wait = [](std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
                  Clock::duration duration) { wake.wait_for(lock, duration); };
  };

  ReadPool(boost::asio::io_context& loop, ReadFunction read, Settings settings);
  /// Does not wait for threads that hang in a file system. They end with the process.
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;
  ReadPool(ReadPool&&) = delete;
  ReadPool& operator=(ReadPool&&) = delete;

  /// An asynchronous operation of Boost.Asio with the signature void(Result). `since` is the time
  /// at which the request began to wait.
  template <typename CompletionToken>
  auto async_read(Route route, Clock::time_point since, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(Result)>(
        [this, route = std::move(route), since](auto handler) mutable {
          // std::function requires a handler that it can copy.
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          start(std::move(route), since, [shared](const Result& result) { (*shared)(result); });
        },
        token);
  }

  /// Completes the requests that have waited longer than the timeout, drops reads that nobody waits
  /// for, and replaces threads that hang. The owner calls it several times a second.
  void expire(Clock::time_point now);

  /// Completes all requests with ReadError::unavailable, also those that come later.
  void fail_all();

 private:
  using Handler = std::function<void(const Result& result)>;
  struct Read;
  struct WorkQueue;
  struct Waiter {
    Handler handler;
    Clock::time_point since;
  };
  /// The current read of a route and the requests that wait for the route.
  struct RouteReads {
    std::shared_ptr<Read> current;      // queued or running
    Clock::time_point since;            // the time when `current` was queued
    std::vector<Waiter> waiters;        // get the result of the current read
    std::vector<Waiter> later_waiters;  // get the result of the next read
    bool hangs = false;                 // the current read has exceeded the timeout
  };

  [[nodiscard]] bool refuses(const Route& route) const;
  void start(Route route, Clock::time_point since, Handler handler);
  void enqueue(const Route& route, RouteReads& reads);
  void submit_new_reads();
  void finish(const Read& read);
  void set_hung_reads(std::size_t count);

  boost::asio::io_context& loop_;
  Settings settings_;
  std::unordered_map<Route, RouteReads> routes_;
  std::vector<std::shared_ptr<Read>> new_reads_;  // from the current iteration of the event loop
  std::size_t hung_reads_ = 0;
  std::size_t threads_ = 0;
  bool is_closed_ = false;
  std::shared_ptr<WorkQueue> queue_;
};

}  // namespace hypeman::httpbridge
