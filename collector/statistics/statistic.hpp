#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/value.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// When a VM has a statistic at all.
enum class Presence : std::uint8_t { always, while_memory_is_allocated, while_running };

/// A metric family of metrics.prom. The texts are what Prometheus expects.
struct Metric {
  std::string_view name;
  std::string_view type;  ///< "counter" or "gauge"
  std::string_view help;
};

/// One row of the table: everything that is known about a statistic. Files, listings, stats.json
/// and metrics.prom derive from it; the tables in the documentation are checked against it.
struct Statistic {
  std::string_view name;         ///< of its file below the instance's directory; its key in JSON
  std::string_view unit;         ///< as documented; empty: text
  std::string_view source_text;  ///< as documented: the kernel file and field, or the metadata key
  Sources sources;               ///< what its value needs; none: the record alone
  Presence presence = Presence::always;
  bool in_stats_json = false;  ///< Hypeman documents it as a key of the object
  Metric metric;               ///< empty: not exported
  /// The value in a sample that holds the sources, or why it could not be measured.
  Result<Value> (*value)(const Sample& sample);

  /// Whether a VM may have it, as far as its record says.
  [[nodiscard]] bool is_in(const VmRecord& record) const;
  /// Whether the VM of the sample has it.
  [[nodiscard]] bool is_in(const Sample& sample) const;
};

/// The table, in the order of listings and of stats.json.
[[nodiscard]] std::span<const Statistic> statistics();

/// What a sample must hold for all statistics for which `is_wanted` is true.
template <class Predicate>
[[nodiscard]] Sources sources_of_those(Predicate is_wanted) {
  Sources all;
  for (const auto& statistic : statistics()) {
    all = is_wanted(statistic) ? all | statistic.sources : all;
  }
  return all;
}

/// What a sample must hold so that is_in() can tell which statistics a VM has.
[[nodiscard]] Sources presence_sources();

}  // namespace hypeman::collector
