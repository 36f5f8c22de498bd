#include "httpbridge/http/statistics.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/instance_names.hpp"
#include "httpbridge/mount/read_error.hpp"

namespace hypeman::httpbridge {
namespace {

constexpr std::size_t id_length = 24;  // of Hypeman's IDs

ReadPool::Settings with_threads(std::size_t threads, std::size_t max_threads,
                                const Limits& limits) {
  ReadPool::Settings settings;
  settings.threads = threads;
  settings.max_threads = max_threads;
  settings.max_reads = limits.queued_reads;
  settings.timeout = limits.request_timeout;
  return settings;
}

/// Runs one listing at a time, for at most a tenth of the time.
ReadPool::Settings for_listings(const Limits& limits) {
  auto settings = with_threads(1, 1, limits);
  settings.pause_factor = 9;
  return settings;
}

Route stats_of(std::string_view instance) {
  return {RouteKind::instance_stats, std::string{instance}};
}

bool is_complete_id(std::string_view text) {
  return text.size() == id_length && is_instance_id(text);
}

bool can_be_prefix(std::string_view text) {
  return text.size() < id_length && is_instance_id_prefix(text);
}

bool is_missing(const ReadPool::Result& result) {
  return !result && result.error() == ReadError::not_found;
}

/// The end of sorted lines, beginning with the first line that is not less than `text`.
std::string_view lines_from(std::string_view lines, std::string_view text) {
  std::size_t low = 0;
  std::size_t high = lines.size();
  while (low < high) {
    const std::size_t before = lines.substr(0, low + (high - low) / 2).rfind('\n');
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view line = lines.substr(begin, lines.find('\n', begin) - begin);
    if (line < text) {
      low = begin + line.size() + 1;
    } else {
      high = begin;
    }
  }
  return lines.substr(low);
}

}  // namespace

// Several threads for files, so that a slow read of a whole-host file does not delay single
// instances.
Statistics::Statistics(boost::asio::io_context& loop, const StatisticsSource& source,
                       const Limits& limits)
    : files_(loop, source.read, with_threads(4, limits.file_threads, limits)),
      names_(loop, source.find, with_threads(8, limits.name_threads, limits)),
      listing_(loop, source.list, for_listings(limits)) {}

Awaitable<ReadPool::Result> Statistics::read(Route route) {
  const auto since = ReadPool::Clock::now();
  if (route.kind != RouteKind::instance_stats) {
    co_return co_await files_.async_read(std::move(route), since, use_awaitable);
  }
  const std::string wanted = route.instance;
  ReadPool::Result found = tl::unexpected(ReadError::not_found);
  if (is_complete_id(wanted)) {
    found = co_await files_.async_read(std::move(route), since, use_awaitable);
  }
  if (is_missing(found)) {
    found = co_await read_named(wanted, since);
  }
  if (is_missing(found) && can_be_prefix(wanted)) {
    found = co_await read_match(wanted, since);
  }
  co_return found;
}

Awaitable<ReadPool::Result> Statistics::read_named(std::string name, Time since) {
  const ReadPool::Result id = co_await names_.async_read(stats_of(name), since, use_awaitable);
  if (!id) {
    co_return id;
  }
  co_return co_await files_.async_read(stats_of(**id), since, use_awaitable);
}

/// Reads each instance that matches until two exist: a hidden instance is in the list, but it
/// cannot be read.
Awaitable<ReadPool::Result> Statistics::read_match(std::string prefix, Time since) {
  const ReadPool::Result ids = co_await listing_.async_read(stats_of({}), since, use_awaitable);
  if (!ids) {
    co_return ids;
  }
  ReadPool::Result match = tl::unexpected(ReadError::not_found);
  std::string_view lines = lines_from(**ids, prefix);
  while (lines.starts_with(prefix)) {
    const std::string_view id = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(id.size() + 1);
    ReadPool::Result contents = co_await files_.async_read(stats_of(id), since, use_awaitable);
    if (is_missing(contents)) {
      continue;
    }
    if (!contents) {
      co_return contents;
    }
    if (!is_missing(match)) {
      co_return tl::unexpected(ReadError::ambiguous);
    }
    match = std::move(contents);
  }
  co_return match;
}

void Statistics::expire(ReadPool::Clock::time_point now) {
  files_.expire(now);
  names_.expire(now);
  listing_.expire(now);
}

void Statistics::fail_all() {
  files_.fail_all();
  names_.fail_all();
  listing_.fail_all();
}

}  // namespace hypeman::httpbridge
