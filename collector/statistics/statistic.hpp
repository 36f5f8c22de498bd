#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/value.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// When a VM has a statistic.
enum class Presence : std::uint8_t { always, while_memory_is_allocated, while_running };

/// A metric family of metrics.prom. The texts must be valid for Prometheus.
struct Metric {
  std::string_view name;
  std::string_view type;  ///< "counter" or "gauge"
  std::string_view help;
  bool also_while_stopped = false;  ///< whether VMs that do not run have it too
  /// The value, if it is not the value of the statistic, and the sources that it needs.
  Result<Value> (*read)(const Sample& sample) = nullptr;
  Sources sources = {};
};

/// One row of the table: everything that is known about a statistic. Files, listings, stats.json,
/// instances.json and metrics.prom derive from it; the tables in the documentation are checked
/// against it.
struct Statistic {
  std::string_view name;         ///< its file name and its JSON key
  std::string_view unit;         ///< as documented; empty: text
  std::string_view source_text;  ///< as documented: the kernel file and field, or the metadata key
  Sources sources;               ///< needed for its value; none: needs only the record
  Presence presence = Presence::always;
  /// Whether its file is not listed if its value cannot be read. Otherwise a program that reads all
  /// files would fail because of one VM.
  bool is_hidden_if_unreadable = false;
  bool in_stats_json = false;  ///< whether it is a key in stats.json
  Metric metric;               ///< empty: not exported
  /// The value of a VM that has the statistic. Null for a statistic of a vCPU.
  Result<Value> (*read)(const Sample& sample) = nullptr;
  /// The value of a vCPU. Null for a statistic of the VM.
  Value (*read_vcpu)(const VcpuTimes& times) = nullptr;

  /// Whether each vCPU has its own value, in vcpus/<n>/.
  [[nodiscard]] constexpr bool is_of_vcpu() const { return read_vcpu != nullptr; }

  /// The file below the directory of the VM, as documented: "cpu_seconds",
  /// "vcpus/<n>/cpu_seconds".
  [[nodiscard]] std::string path() const;

  /// The value, or the error of the measurement. ENOENT: the VM does not have the statistic. The
  /// sample must hold `sources`. The statistic is not one of a vCPU.
  [[nodiscard]] Result<Value> value(const Sample& sample) const;

  /// The value of one vCPU. ENOENT: the VM has no such vCPU, or its thread is not known.
  [[nodiscard]] Result<Value> value(const Sample& sample, unsigned vcpu) const;

  /// The value in metrics.prom.
  [[nodiscard]] Result<Value> metric_value(const Sample& sample) const;

  /// No value of a statistic that has sources is longer, as append_value() writes it, in bytes.
  [[nodiscard]] std::size_t max_value_size() const;

  /// Whether a VM with this record may have the statistic.
  [[nodiscard]] bool is_in(const VmRecord& record) const;
  /// Whether the statistic is listed for the VM of the sample. The sample must hold
  /// presence_sources(). If it is not, value() says why.
  [[nodiscard]] bool is_in(const Sample& sample) const;
};

/// The table, in the order of directory listings and of the JSON texts. The statistics of vCPUs
/// come last.
[[nodiscard]] std::span<const Statistic> statistics();

/// The statistic of the VM with this name, which must exist.
[[nodiscard]] const Statistic& statistic_named(std::string_view name);

/// The number of vCPUs that a VM with this record may show, which are numbered from 0.
[[nodiscard]] unsigned max_vcpus(const VmRecord& record);

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
