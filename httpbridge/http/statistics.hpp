#pragma once

#include <string>

#include <boost/asio/io_context.hpp>

#include "httpbridge/http/awaitable.hpp"
#include "httpbridge/http/limits.hpp"
#include "httpbridge/http/read_pool.hpp"
#include "httpbridge/http/route.hpp"

namespace hypeman::httpbridge {

/// The functions that read the mounted tree. They block and are thread-safe.
struct StatisticsSource {
  ReadPool::ReadFunction read;  ///< the contents for a route; its instance is an ID
  ReadPool::ReadFunction find;  ///< the ID of the instance that has `instance` as its ID or name
  ReadPool::ReadFunction list;  ///< the IDs of all instances: sorted lines
};

/// Finds and reads what a route asks for. Exact IDs, names and prefixes have threads of their own,
/// so that unknown names and prefixes do not delay exact IDs. A listing serves all prefixes that
/// wait for one, and listings take at most a tenth of the time. Only the thread of the event loop
/// may call the members.
class Statistics {
 public:
  Statistics(boost::asio::io_context& loop, const StatisticsSource& source, const Limits& limits);

  /// `instance` of the route is an exact ID, else an exact name, else an ID prefix.
  [[nodiscard]] Awaitable<ReadPool::Result> read(Route route);

  /// The owner calls it several times a second.
  void expire(ReadPool::Clock::time_point now);
  void fail_all();

 private:
  using Time = ReadPool::Clock::time_point;

  Awaitable<ReadPool::Result> read_named(std::string name, Time since);
  Awaitable<ReadPool::Result> read_match(std::string prefix, Time since);

  ReadPool files_;
  ReadPool names_;
  ReadPool listing_;
};

}  // namespace hypeman::httpbridge
