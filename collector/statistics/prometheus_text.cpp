#include "collector/statistics/prometheus_text.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "collector/statistics/prometheus_format.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {
namespace {

constexpr Metric observed{.name = "hypeman_vm_metrics_instances_observed",
                          .type = "gauge",
                          .help = "Number of VMs that run."};

bool is_exported(const Statistic& statistic) {
  return !statistic.metric.name.empty();
}

void append_header(const Metric& metric, std::string& out) {
  append_family(metric.name, metric.type, metric.help, out);
}

/// The labels of every series of a VM, without the bracket at the end. Series differ by the ID even
/// if the names are equal.
std::string labels_of(const VmRecord& record) {
  std::string labels{"{instance_id=\""};
  append_label_value(record.id, labels);
  labels += "\",instance_name=\"";
  append_label_value(record.name, labels);
  labels += '"';
  return labels;
}

void append_series(const Metric& metric, std::string_view labels, const Value& value,
                   std::string& out) {
  out.append(metric.name).append(labels).append("} ");
  append_value(value, out);
  out += '\n';
}

/// A series for each vCPU.
void append_vcpu_series(const Statistic& statistic, const Sample& sample, std::string_view labels,
                        std::string& out) {
  if (!sample.running || !sample.vcpus) {
    return;
  }
  for (const auto& times : *sample.vcpus) {
    auto vcpu_labels = std::string{labels} + ",vcpu=\"";
    vcpu_labels.append(std::to_string(times.number)).append("\"");
    append_series(statistic.metric, vcpu_labels, statistic.read_vcpu(times), out);
  }
}

/// The largest possible sizes of the text without VMs, and of one VM without its labels.
struct FixedSizes {
  struct Series {
    std::size_t bytes = 0;
    std::size_t count = 0;

    void add(const Statistic& statistic, std::size_t more_labels) {
      constexpr std::string_view around = "} \n";
      constexpr std::size_t max_recorded_size = max_integer_size;  // of a value without sources
      bytes += statistic.metric.name.size() + more_labels + around.size() +
               std::max(statistic.max_value_size(), max_recorded_size);
      ++count;
    }
    [[nodiscard]] std::size_t size(std::size_t labels) const { return bytes + count * labels; }
  };

  std::size_t text = 0;
  Series while_stopped;
  Series while_running;
  Series of_vcpu;
};

FixedSizes fixed_sizes() {
  constexpr std::string_view vcpu_label = R"(,vcpu="255")";
  FixedSizes sizes;
  std::string headers;
  for (const auto& statistic : statistics()) {
    if (!is_exported(statistic)) {
      continue;
    }
    append_header(statistic.metric, headers);
    if (statistic.is_of_vcpu()) {
      sizes.of_vcpu.add(statistic, vcpu_label.size());
      continue;
    }
    sizes.while_running.add(statistic, 0);
    if (statistic.metric.also_while_stopped) {
      sizes.while_stopped.add(statistic, 0);
    }
  }
  append_header(observed, headers);
  sizes.text = headers.size() + observed.name.size() + 1 + max_integer_size + 1;
  return sizes;
}

}  // namespace

Sources prometheus_sources() {
  Sources all;
  for (const auto& statistic : statistics()) {
    if (is_exported(statistic)) {
      const auto& metric = statistic.metric;
      all = all | (metric.read != nullptr ? metric.sources : statistic.sources);
    }
  }
  return all;
}

std::size_t prometheus_text_size(std::span<const FoundInstance> instances) {
  static const auto fixed = fixed_sizes();
  auto size = fixed.text;
  for (const auto& [instance, record] : instances) {
    const auto labels = labels_of(*record).size();
    size += record->process
                ? fixed.while_running.size(labels) + max_vcpus(*record) * fixed.of_vcpu.size(labels)
                : fixed.while_stopped.size(labels);
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
    if (!is_exported(statistic)) {
      continue;
    }
    append_header(statistic.metric, out);
    for (std::size_t index = 0; index < samples.size(); ++index) {
      if (statistic.is_of_vcpu()) {
        append_vcpu_series(statistic, samples[index], labels[index], out);
      } else if (const auto value = statistic.metric_value(samples[index])) {
        append_series(statistic.metric, labels[index], *value, out);
      }
    }
  }
  append_header(observed, out);
  const auto running = std::ranges::count_if(samples, &Sample::running);
  out.append(observed.name).append(" ").append(std::to_string(running)).append("\n");
  fill_with_comments(out, size);
  return out;
}

}  // namespace hypeman::collector
