#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "httpbridge/reply.hpp"
#include "httpbridge/resource.hpp"
#include "httpbridge/stats_tree.hpp"

namespace hypeman::httpbridge {

/// Reads resources on a few threads of its own, so that a file system that hangs stops neither the
/// event loop nor the reads of other files (until all threads hang).
///
/// Requests for the same resource that wait for a read which has not started share it: the read is
/// newer than each of them. At most one read of a resource runs at a time; who arrives meanwhile
/// shares the next. All members are for the loop's thread only.
class ReadPool {
 public:
  using Clock = std::chrono::steady_clock;
  /// Blocks; called on the pool's threads, several at a time.
  using ReadFunction =
      std::function<tl::expected<std::string, ReadFailure>(const Resource& resource)>;
  using Result = tl::expected<Body, ReadFailure>;
  using Handler = std::function<void(const Result& result)>;

  /// Reads that take longer than `bound` are ReadFailure::unavailable to those who wait for them.
  ReadPool(boost::asio::io_context& loop, const ReadFunction& read, Clock::duration bound);
  /// Does not wait for threads that a hung file system holds; they end with the process.
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;
  ReadPool(ReadPool&&) = delete;
  ReadPool& operator=(ReadPool&&) = delete;

  /// Calls `handler` once, on the loop, with a result that was read after this call.
  void async_read(const Resource& resource, Handler handler);

  /// Gives up on what waits beyond its bound, and sees to it that nothing waits behind a read that
  /// hangs while threads are free. The owner calls it several times a second.
  void expire(Clock::time_point now);

 private:
  struct Job;
  struct Exchange;
  struct Waiter {
    Handler handler;
    Clock::time_point since;
  };
  /// A resource that somebody waits for.
  struct Pending {
    std::shared_ptr<Job> job;     // the read that is queued or running
    std::vector<Waiter> sharing;  // those whom it answers
    std::vector<Waiter> next;     // those who came after it had started
    bool overdue = false;         // it runs longer than anyone would wait
  };

  void enqueue(const Resource& resource, Pending& pending);
  void hand_over();
  void finish(const std::shared_ptr<Job>& job, const Result& result);

  boost::asio::io_context& loop_;
  Clock::duration bound_;
  std::unordered_map<Resource, Pending> pending_;
  std::vector<std::shared_ptr<Job>> outbox_;  // queued by the current turn of the loop
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace hypeman::httpbridge
