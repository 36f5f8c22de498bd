#include "collector/statistics/prometheus_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "collector/statistics/field.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
namespace {

struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  Field field;
};

constexpr std::array families{
    Family{"hypeman_vm_cpu_seconds_total", "counter",
           "CPU time of the VM's hypervisor process, user and system.", Field::cpu_seconds},
    Family{"hypeman_vm_allocated_vcpus", "gauge", "Virtual CPUs allocated to the VM.",
           Field::allocated_vcpus},
    Family{"hypeman_vm_memory_rss_bytes", "gauge",
           "Resident memory of the VM's hypervisor process.", Field::memory_rss_bytes},
    Family{"hypeman_vm_memory_vms_bytes", "gauge", "Virtual memory of the VM's hypervisor process.",
           Field::memory_vms_bytes},
    Family{"hypeman_vm_allocated_memory_bytes", "gauge", "Memory allocated to the VM.",
           Field::allocated_memory_bytes},
    Family{"hypeman_vm_network_rx_bytes_total", "counter", "Bytes that the VM has received.",
           Field::network_rx_bytes},
    Family{"hypeman_vm_network_tx_bytes_total", "counter", "Bytes that the VM has sent.",
           Field::network_tx_bytes},
};

constexpr std::string_view observed_name = "hypeman_vm_metrics_instances_observed";

void append_header(std::string_view name, std::string_view type, std::string_view help,
                   std::string& out) {
  out.append("# HELP ").append(name).append(" ").append(help);
  out.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
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

/// What stands between the name and the value in every line of an instance. Its ID alone makes a
/// series unique, whatever the names are.
std::string labels_of(const Metadata& metadata) {
  std::string labels{"{instance_id=\""};
  append_label_value(metadata.id, labels);
  labels += "\",instance_name=\"";
  append_label_value(metadata.name, labels);
  labels += "\"} ";
  return labels;
}

/// No less than the text takes, and not much more.
std::size_t size_of(std::span<const std::string> labels) {
  constexpr std::size_t headers = 2048;
  constexpr std::size_t name_and_value = 48;
  auto size = headers;
  for (const auto& one : labels) {
    size += families.size() * (one.size() + name_and_value);
  }
  return size;
}

}  // namespace

void append_prometheus_text(std::span<const Sample> samples, std::string& out) {
  std::vector<std::string> labels;
  labels.reserve(samples.size());
  for (const auto& sample : samples) {
    labels.push_back(labels_of(*sample.metadata));
  }
  out.reserve(out.size() + size_of(labels));
  for (const auto& family : families) {
    append_header(family.name, family.type, family.help, out);
    for (std::size_t index = 0; index < samples.size(); ++index) {
      const auto& sample = samples[index];
      if (const auto value = value_of(sample, family.field); sample.running && value) {
        out.append(family.name).append(labels[index]);
        append_value(*value, out);
        out += '\n';
      }
    }
  }
  append_header(observed_name, "gauge", "VMs that run and are shown here.", out);
  const auto running = std::ranges::count_if(samples, &Sample::running);
  out.append(observed_name).append(" ").append(std::to_string(running)).append("\n");
}

}  // namespace hypeman::collector
