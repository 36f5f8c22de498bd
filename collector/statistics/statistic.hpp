#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/value.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// When a VM has a statistic, and when its file is listed.
enum class Presence : std::uint8_t {
  always,
  while_memory_is_allocated,
  while_running,
  /// Always, but the file is not listed if the counter of the TAP cannot be read. Otherwise a
  /// program that reads all files would fail because of one VM.
  listed_if_readable,
};

/// A metric family of metrics.prom. The texts must be valid for Prometheus.
struct Metric {
  std::string_view name;
  std::string_view type;  ///< "counter" or "gauge"
  std::string_view help;
};

/// One row of the table: everything that is known about a statistic. Files, listings, stats.json
/// and metrics.prom derive from it; the tables in the documentation are checked against it.
struct Statistic {
  std::string_view name;         ///< its file name and its JSON key
  std::string_view unit;         ///< as documented; empty: text
  std::string_view source_text;  ///< as documented: the kernel file and field, or the metadata key
  Sources sources;               ///< needed for its value; none: needs only the record
  Presence presence = Presence::always;
  bool in_stats_json = false;  ///< whether it is a key in stats.json
  Metric metric;               ///< empty: not exported
  /// The value of a VM that has the statistic.
  Result<Value> (*read)(const Sample& sample);

  /// The value, or the error of the measurement. ENOENT: the VM does not have the statistic. The
  /// sample must hold `sources`.
  [[nodiscard]] Result<Value> value(const Sample& sample) const;

  /// Whether a VM with this record may have the statistic.
  [[nodiscard]] bool is_in(const VmRecord& record) const;
  /// Whether the statistic is listed for the VM of the sample. The sample must hold
  /// presence_sources(). If it is not, value() says why.
  [[nodiscard]] bool is_in(const Sample& sample) const;
};

/// The table, in the order of directory listings and of stats.json.
[[nodiscard]] std::span<const Statistic> statistics();

/// The sources of all statistics for which `is_wanted` is true.
template <class Predicate>
[[nodiscard]] Sources sources_of_those(Predicate is_wanted) {
  Sources all;
  for (const auto& statistic : statistics()) {
    all = is_wanted(statistic) ? all | statistic.sources : all;
  }
  return all;
}

/// The sources that is_in() needs in a sample.
[[nodiscard]] Sources presence_sources();

}  // namespace hypeman::collector
