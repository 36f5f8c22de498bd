#include "collector/statistics/prometheus_text.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
namespace {

constexpr Metric observed{"hypeman_vm_metrics_instances_observed", "gauge",
                          "VMs that run and are shown here."};

void append_header(const Metric& metric, std::string& out) {
  out.append("# HELP ").append(metric.name).append(" ").append(metric.help);
  out.append("\n# TYPE ").append(metric.name).append(" ").append(metric.type).append("\n");
}

void append_label_value(std::string_view text, std::string& out) {
  for (const auto character : text) {
    if (character == '\n') {
      out += "\\n";
      continue;
    }
    if (character == '\\' || character == '"') {
      out += '\\';
    }
    out += character;
  }
}

/// The labels of every series of a VM. Series differ by the ID even if the names are equal.
std::string labels_of(const VmRecord& record) {
  std::string labels{"{instance_id=\""};
  append_label_value(record.id, labels);
  labels += "\",instance_name=\"";
  append_label_value(record.name, labels);
  labels += "\"} ";
  return labels;
}

/// Slightly larger than the real size.
std::size_t estimated_size(std::span<const std::string> labels) {
  constexpr std::size_t headers = 8192;
  constexpr std::size_t name_and_value = 48;
  auto size = headers;
  for (const auto& one : labels) {
    size += statistics().size() * (one.size() + name_and_value);
  }
  return size;
}

}  // namespace

Sources prometheus_sources() {
  return sources_of_those(
      [](const Statistic& statistic) { return !statistic.metric.name.empty(); });
}

void append_prometheus_text(std::span<const Sample> samples, std::string& out) {
  std::vector<std::string> labels;
  labels.reserve(samples.size());
  for (const auto& sample : samples) {
    labels.push_back(labels_of(*sample.record));
  }
  out.reserve(out.size() + estimated_size(labels));
  for (const auto& statistic : statistics()) {
    const auto& metric = statistic.metric;
    if (metric.name.empty()) {
      continue;
    }
    append_header(metric, out);
    for (std::size_t index = 0; index < samples.size(); ++index) {
      const auto& sample = samples[index];
      if (!sample.running) {
        continue;
      }
      if (const auto value = statistic.value(sample)) {
        out.append(metric.name).append(labels[index]);
        append_value(*value, out);
        out += '\n';
      }
    }
  }
  append_header(observed, out);
  const auto running = std::ranges::count_if(samples, &Sample::running);
  out.append(observed.name).append(" ").append(std::to_string(running)).append("\n");
}

}  // namespace hypeman::collector
