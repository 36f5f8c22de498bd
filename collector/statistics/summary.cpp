#include "collector/statistics/summary.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
namespace {

/// At most 5 characters: "0", "1.5G", "1023M".
std::string bytes_for_people(double bytes) {
  constexpr std::string_view units = "KMGTPEZY";
  constexpr double step = 1024;
  constexpr double two_digits = 9.95;  // from here on, no decimal
  if (bytes < step) {
    return fmt::format("{:.0f}", bytes);
  }
  std::size_t unit = 0;
  for (bytes /= step; bytes >= step - 0.5 && unit + 1 < units.size(); ++unit) {
    bytes /= step;
  }
  return fmt::format("{:.{}f}{}", bytes, bytes < two_digits ? 1 : 0, units[unit]);
}

/// At most 8 characters: "12.34s", "59m59s", "23h59m", "364d23h".
std::string duration_for_people(double seconds) {
  constexpr std::uint64_t minute = 60;
  constexpr std::uint64_t hour = 60 * minute;
  constexpr std::uint64_t day = 24 * hour;
  constexpr std::uint64_t too_long = 10000 * day;
  if (seconds < static_cast<double>(minute)) {
    return fmt::format("{:.2f}s", seconds);
  }
  const auto whole = static_cast<std::uint64_t>(std::min(seconds, static_cast<double>(too_long)));
  if (whole >= too_long) {
    return ">9999d";
  }
  if (whole >= day) {
    return fmt::format("{}d{:02}h", whole / day, whole % day / hour);
  }
  return whole >= hour ? fmt::format("{}h{:02}m", whole / hour, whole % hour / minute)
                       : fmt::format("{}m{:02}s", whole / minute, whole % minute);
}

/// At most 6 characters: "0", "99999", ">99999".
std::string count_for_people(double count) {
  constexpr double too_many = 1e5;
  return count < too_many ? fmt::format("{:.0f}", count) : ">99999";
}

/// A column with numbers, which the last line sums up.
struct Column {
  std::string_view heading;
  std::string_view first;        ///< the name of a statistic
  std::string_view second = {};  ///< another statistic, which is added
  std::string (*format)(double number) = nullptr;
  std::size_t width = 0;
};

constexpr std::size_t bytes_width = 6;
constexpr std::array columns{
    Column{"VCPUS", "allocated_vcpus", {}, count_for_people, 6},
    Column{"CPU", "cpu_seconds", {}, duration_for_people, 8},
    Column{"WAIT", "cpu_wait_seconds", {}, duration_for_people, 8},
    Column{"MEMORY", "allocated_memory_bytes", {}, bytes_for_people, bytes_width},
    Column{"RSS", "memory_rss_bytes", {}, bytes_for_people, bytes_width},
    Column{"ANON", "memory_rss_anon_bytes", {}, bytes_for_people, bytes_width},
    Column{"SWAP", "memory_swap_bytes", {}, bytes_for_people, bytes_width},
    Column{"RX", "network_rx_bytes", {}, bytes_for_people, bytes_width},
    Column{"TX", "network_tx_bytes", {}, bytes_for_people, bytes_width},
    Column{"DROPS", "network_rx_dropped", "network_tx_dropped", count_for_people, 6},
    Column{"DISK", "disk_allocated_bytes", {}, bytes_for_people, bytes_width},
};

constexpr std::string_view state = "state";
constexpr std::string_view start_time = "start_time_seconds";
constexpr std::size_t state_width = 12;  // "initializing"
constexpr std::size_t uptime_width = 8;
constexpr std::string_view nothing = "-";
constexpr std::string_view totals = "TOTAL";

/// Hypeman's names are shorter. The name of a VM can be any text.
constexpr std::size_t max_name_width = 63;

std::string printable(std::string_view text) {
  std::string result{text.substr(0, max_name_width)};
  std::ranges::replace_if(
      result, [](char character) { return character < '!' || character > '~'; }, '?');
  return result.empty() ? std::string{nothing} : result;
}

std::optional<double> number(const Sample& sample, std::string_view name) {
  const auto value = statistic_named(name).value(sample);
  if (!value) {
    return std::nullopt;
  }
  const auto* const integer = std::get_if<std::uint64_t>(&*value);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(*value);
}

std::optional<double> number(const Sample& sample, const Column& column) {
  auto sum = number(sample, column.first);
  if (sum && !column.second.empty()) {
    const auto second = number(sample, column.second);
    sum = second ? std::optional{*sum + *second} : std::nullopt;
  }
  return sum;
}

std::string uptime(const Sample& sample) {
  const auto start = number(sample, start_time);
  if (!start) {
    return std::string{nothing};
  }
  const std::chrono::duration<double> now = sample.time.time_since_epoch();
  return duration_for_people(std::max(now.count() - *start, 0.0));
}

struct Line {
  std::string name;
  std::string state;
  std::string uptime;
  std::vector<std::string> numbers;
  std::string_view id;
};

/// Every line without an ID has the same size.
void append_line(const Line& line, std::size_t name_width, std::string& out) {
  auto end = std::back_inserter(out);
  fmt::format_to(end, "{:<{}} {:<{}} {:>{}}", line.name, name_width, line.state, state_width,
                 line.uptime, uptime_width);
  for (std::size_t index = 0; index < columns.size(); ++index) {
    fmt::format_to(end, " {:>{}}", line.numbers.at(index), columns.at(index).width);
  }
  if (!line.id.empty()) {
    out.append("  ").append(line.id);
  }
  out += '\n';
}

Line heading() {
  Line line{.name = "NAME", .state = "STATE", .uptime = "UPTIME", .numbers = {}, .id = "ID"};
  for (const auto& column : columns) {
    line.numbers.emplace_back(column.heading);
  }
  return line;
}

Line line_of(const Sample& sample) {
  Line line{.name = printable(sample.record->name),
            .state = std::string{nothing},
            .uptime = uptime(sample),
            .numbers = {},
            .id = sample.record->id};
  if (const auto word = statistic_named(state).value(sample)) {
    line.state = std::get<std::string_view>(*word);
  }
  for (const auto& column : columns) {
    const auto sum = number(sample, column);
    line.numbers.push_back(sum ? column.format(*sum) : std::string{nothing});
  }
  return line;
}

Line total_of(std::span<const Sample> samples) {
  const auto running = std::ranges::count_if(samples, &Sample::running);
  Line line{.name = std::string{totals},
            .state = fmt::format("{}/{}", running, samples.size()),
            .uptime = {},
            .numbers = {},
            .id = {}};
  for (const auto& column : columns) {
    double sum = 0;
    for (const auto& sample : samples) {
      sum += number(sample, column).value_or(0);
    }
    line.numbers.push_back(column.format(sum));
  }
  return line;
}

std::vector<const Sample*> running_first(std::span<const Sample> samples) {
  std::vector<const Sample*> sorted;
  sorted.reserve(samples.size());
  for (const auto& sample : samples) {
    sorted.push_back(&sample);
  }
  std::ranges::sort(sorted, {}, [](const Sample* sample) {
    const auto& record = *sample->record;
    return std::tuple<bool, const std::string&, const std::string&>{!sample->running, record.name,
                                                                    record.id};
  });
  return sorted;
}

std::size_t name_width_of(std::span<const std::string_view> names) {
  std::size_t width = totals.size();
  for (const auto& name : names) {
    width = std::max(width, std::min(name.size(), max_name_width));
  }
  return width;
}

}  // namespace

Sources summary_sources() {
  Sources all = statistic_named(state).sources | statistic_named(start_time).sources;
  for (const auto& column : columns) {
    all = all | statistic_named(column.first).sources;
    if (!column.second.empty()) {
      all = all | statistic_named(column.second).sources;
    }
  }
  return all;
}

std::size_t summary_size(std::span<const FoundInstance> instances) {
  std::vector<std::string_view> names;
  std::size_t ids = heading().id.size() + 2;
  for (const auto& [instance, record] : instances) {
    names.emplace_back(record->name);
    ids += record->id.size() + 2;
  }
  std::string line;
  append_line(total_of({}), name_width_of(names), line);
  return line.size() * (instances.size() + 2) + ids;
}

std::string summary(std::span<const Sample> samples, std::size_t size) {
  std::vector<std::string_view> names;
  for (const auto& sample : samples) {
    names.emplace_back(sample.record->name);
  }
  const auto name_width = name_width_of(names);
  std::string out;
  out.reserve(size);
  append_line(heading(), name_width, out);
  for (const auto* const sample : running_first(samples)) {
    append_line(line_of(*sample), name_width, out);
  }
  append_line(total_of(samples), name_width, out);
  if (out.size() < size) {
    out.insert(out.size() - 1, size - out.size(), ' ');
  }
  return out;
}

}  // namespace hypeman::collector
