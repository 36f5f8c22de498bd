#include "fs/tree/own_metrics.hpp"

#include <algorithm>
#include <string>

#include "base/version.hpp"
#include "collector/statistics/prometheus_format.hpp"

namespace hypeman::fs {
namespace {

struct Kind {
  std::string_view name;
  std::errc error;
};

/// The last kind counts all other errors.
constexpr std::array<Kind, 6> error_kinds{{
    {"no_such_file", std::errc::no_such_file_or_directory},  // a VM is gone
    {"no_such_device", std::errc::no_such_device},           // a TAP is gone
    {"timed_out", std::errc::timed_out},                     // a process hangs
    {"too_many_requests", std::errc::resource_unavailable_try_again},
    {"too_much_memory", std::errc::no_buffer_space},  // a reader holds too much
    {"other", {}},
}};

void append(std::string_view name, std::string_view label, std::string_view label_value,
            const std::string& value, std::string& out) {
  out.append(name);
  if (!label.empty()) {
    out.append("{").append(label).append("=\"");
    collector::append_label_value(label_value, out);
    out.append("\"}");
  }
  out.append(" ").append(value).append("\n");
}

}  // namespace

void OwnMetrics::count_error(std::error_code error) {
  static_assert(error_kinds.size() == kinds);
  const auto* const known = std::find_if(error_kinds.begin(), error_kinds.end() - 1,
                                         [&](const Kind& kind) { return error == kind.error; });
  const auto index = static_cast<std::size_t>(known - error_kinds.begin());
  errors_.at(index).fetch_add(1, std::memory_order_relaxed);
}

std::string OwnMetrics::families() const {
  constexpr std::string_view info = "hypeman_statsfs_build_info";
  constexpr std::string_view transport = "hypeman_statsfs_transport_info";
  constexpr std::string_view reads = "hypeman_statsfs_reads_total";
  constexpr std::string_view errors = "hypeman_statsfs_errors_total";
  std::string out;
  collector::append_family(info, "gauge", "The version of hypeman-statsfs.", out);
  append(info, "version", version, "1", out);
  collector::append_family(transport, "gauge", "How the kernel sends the requests of readers.",
                           out);
  append(transport, "transport", transport_, "1", out);
  collector::append_family(reads, "counter", "Reads of files that were answered.", out);
  append(reads, {}, {}, std::to_string(reads_.load(std::memory_order_relaxed)), out);
  collector::append_family(errors, "counter", "Opens and reads of files that failed.", out);
  for (std::size_t index = 0; index < kinds; ++index) {
    append(errors, "error", error_kinds.at(index).name,
           std::to_string(errors_.at(index).load(std::memory_order_relaxed)), out);
  }
  return out;
}

std::string OwnMetrics::text() const {
  auto out = families();
  collector::fill_with_comments(out, size());
  return out;
}

std::size_t OwnMetrics::size() {
  constexpr std::size_t max_digits = 20;  // of a 64-bit number
  constexpr std::size_t max_transport = 20;
  static const auto without_numbers = [] { return OwnMetrics{}.families().size(); }();
  return without_numbers + max_transport + (1 + kinds) * (max_digits - 1);
}

}  // namespace hypeman::fs
