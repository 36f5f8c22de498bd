#include "collector/statistics/prometheus_text.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"
#include "collector/vm_record.hpp"

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

std::size_t max_size(const Value& value) {
  return std::holds_alternative<double>(value) ? max_number_size : max_integer_size;
}

/// The largest possible sizes of the text without VMs, and of one VM without its labels.
struct FixedSizes {
  std::size_t text = 0;
  std::size_t vm = 0;
  std::size_t series = 0;  ///< of one VM
};

FixedSizes fixed_sizes() {
  const VmRecord record{.allocated_memory_bytes = 1};
  const Sample sample{.record = std::make_shared<const VmRecord>(record),
                      .units = {.ticks_per_second = 1, .page_size = 1}};
  FixedSizes sizes;
  std::string headers;
  for (const auto& statistic : statistics()) {
    if (const auto& metric = statistic.metric; !metric.name.empty()) {
      append_header(metric, headers);
      const auto value = statistic.value(sample).value_or(Value{0.0});
      sizes.vm += metric.name.size() + max_size(value) + 1;
      ++sizes.series;
    }
  }
  append_header(observed, headers);
  sizes.text = headers.size() + observed.name.size() + 1 + max_integer_size + 1;
  return sizes;
}

/// Appends comment lines: Prometheus's own parsers do not accept spaces at the end of a line.
void fill_up(std::string& out, std::size_t size) {
  constexpr std::size_t line = 80;
  while (out.size() < size) {
    out.append(std::min(size - out.size(), line) - 1, '#').append("\n");
  }
}

}  // namespace

Sources prometheus_sources() {
  return sources_of_those(
      [](const Statistic& statistic) { return !statistic.metric.name.empty(); });
}

std::size_t prometheus_text_size(std::span<const FoundInstance> instances) {
  static const auto fixed = fixed_sizes();
  auto size = fixed.text;
  for (const auto& [instance, record] : instances) {
    if (record->process) {
      size += fixed.vm + fixed.series * labels_of(*record).size();
    }
  }
  return size;
}

std::string prometheus_text(std::span<const Sample> samples, std::size_t size) {
  std::vector<std::string> labels;
  labels.reserve(samples.size());
  for (const auto& sample : samples) {
    labels.push_back(labels_of(*sample.record));
  }
  std::string out;
  out.reserve(size);
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
  fill_up(out, size);
  return out;
}

}  // namespace hypeman::collector
