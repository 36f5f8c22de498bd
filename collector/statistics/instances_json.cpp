#include "collector/statistics/instances_json.hpp"

#include <algorithm>
#include <string_view>

#include "collector/statistics/json.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
namespace {

constexpr std::string_view text_begin = "{\"instances\": {";
constexpr std::string_view text_end = "\n}}";
constexpr std::string_view vcpus = "vcpus";

/// Begins the next member of an object. The value follows.
void append_key(std::string_view name, std::string& out) {
  out.append(out.ends_with('{') ? "\"" : ", \"").append(name).append("\": ");
}
constexpr std::size_t key_size(std::string_view name) {
  return name.size() + std::string_view{R"(, "": )"}.size();
}

/// Appends the members that need only the record.
void append_recorded(const Sample& sample, std::string& out) {
  out.append("\n  \"").append(sample.record->id).append("\": {");
  for (const auto& statistic : statistics()) {
    if (!statistic.sources.any()) {
      append_key(statistic.name, out);
      append_json(*statistic.value(sample), out);
    }
  }
}

void append_vcpu(const Sample& sample, const VcpuTimes& times, std::string& out) {
  append_key(std::to_string(times.number), out);
  out += '{';
  for (const auto& statistic : statistics()) {
    if (statistic.is_of_vcpu()) {
      append_key(statistic.name, out);
      append_json(*statistic.value(sample, times.number), out);
    }
  }
  out += '}';
}

void append_instance(const Sample& sample, std::string& out) {
  append_recorded(sample, out);
  for (const auto& statistic : statistics()) {
    if (statistic.is_of_vcpu() || !statistic.sources.any()) {
      continue;
    }
    if (const auto value = statistic.value(sample)) {
      append_key(statistic.name, out);
      append_json(*value, out);
    }
  }
  if (sample.running && sample.vcpus && !sample.vcpus->empty()) {
    append_key(vcpus, out);
    out += '{';
    for (const auto& times : *sample.vcpus) {
      append_vcpu(sample, times, out);
    }
    out += '}';
  }
  out += '}';
}

/// The largest possible sizes of the parts of an instance that are measured.
struct FixedSizes {
  std::size_t while_stopped = 1;                        ///< the bracket at the end
  std::size_t while_running = 1 + key_size(vcpus) + 2;  ///< and those of the vCPUs
  std::size_t vcpu = key_size("0000") + 2;
};

FixedSizes fixed_sizes() {
  constexpr std::string_view quotes = "\"\"";
  FixedSizes sizes;
  for (const auto& statistic : statistics()) {
    if (!statistic.sources.any()) {
      continue;
    }
    const auto size = key_size(statistic.name) + statistic.max_value_size() + quotes.size();
    if (statistic.is_of_vcpu()) {
      sizes.vcpu += size;
      continue;
    }
    sizes.while_running += size;
    if (statistic.presence != Presence::while_running) {
      sizes.while_stopped += size;
    }
  }
  return sizes;
}

}  // namespace

Sources instances_json_sources() {
  return sources_of_those([](const Statistic& /*each*/) { return true; });
}

std::size_t instances_json_size(std::span<const FoundInstance> instances) {
  static const auto fixed = fixed_sizes();
  auto size = text_begin.size() + text_end.size() + 1;
  std::string recorded;
  for (const auto& [instance, record] : instances) {
    recorded.clear();
    append_recorded(Sample{.record = record}, recorded);
    size += recorded.size() + 1;  // and a comma
    size += record->process ? fixed.while_running + max_vcpus(*record) * fixed.vcpu
                            : fixed.while_stopped;
  }
  return size;
}

std::string instances_json(std::span<const Sample> samples, std::size_t size) {
  std::string out;
  out.reserve(size);
  out += text_begin;
  for (const auto& sample : samples) {
    if (out.ends_with('}')) {
      out += ',';
    }
    append_instance(sample, out);
  }
  out += text_end;
  out.append(std::max(size, out.size() + 1) - out.size() - 1, ' ').append("\n");
  return out;
}

}  // namespace hypeman::collector
