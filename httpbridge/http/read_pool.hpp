#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "httpbridge/http/reply.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/mount/mount_reader.hpp"

namespace hypeman::httpbridge {

/// Reads the contents of routes on a few threads. A file system that hangs then blocks neither the
/// event loop nor other reads, until all threads hang.
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

  /// A request that waits longer than `timeout` gets ReadError::unavailable.
  ReadPool(boost::asio::io_context& loop, const ReadFunction& read, Clock::duration timeout);
  /// Does not wait for threads that hang in a file system. They end with the process.
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;
  ReadPool(ReadPool&&) = delete;
  ReadPool& operator=(ReadPool&&) = delete;

  /// An asynchronous operation of Boost.Asio with the signature void(Result).
  template <typename CompletionToken>
  auto async_read(Route route, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(Result)>(
        [this, route = std::move(route)](auto handler) mutable {
          // std::function requires a handler that it can copy.
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          start(std::move(route), [shared](const Result& result) { (*shared)(result); });
        },
        token);
  }

  /// Completes the requests that have waited longer than the timeout, and makes sure that queued
  /// reads do not wait for a thread that hangs. The owner calls it several times a second.
  void expire(Clock::time_point now);

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
    std::vector<Waiter> waiters;        // get the result of the current read
    std::vector<Waiter> later_waiters;  // get the result of the next read
    bool is_overdue = false;            // the current read has exceeded the timeout
  };

  void start(Route route, Handler handler);
  void enqueue(const Route& route, RouteReads& reads);
  void submit_new_reads();
  void finish(const Read& read);

  boost::asio::io_context& loop_;
  Clock::duration timeout_;
  std::unordered_map<Route, RouteReads> routes_;
  std::vector<std::shared_ptr<Read>> new_reads_;  // from the current iteration of the event loop
  std::shared_ptr<WorkQueue> queue_;
};

}  // namespace hypeman::httpbridge
