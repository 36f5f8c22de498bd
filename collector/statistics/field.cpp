#include "collector/statistics/field.hpp"

#include <cerrno>

namespace hypeman::collector {

std::string_view field_name(Field field) {
  switch (field) {
    case Field::allocated_memory_bytes:
      return "allocated_memory_bytes";
    case Field::allocated_vcpus:
      return "allocated_vcpus";
    case Field::cpu_seconds:
      return "cpu_seconds";
    case Field::instance_id:
      return "instance_id";
    case Field::instance_name:
      return "instance_name";
    case Field::memory_rss_bytes:
      return "memory_rss_bytes";
    case Field::memory_vms_bytes:
      return "memory_vms_bytes";
    case Field::network_rx_bytes:
      return "network_rx_bytes";
    case Field::network_tx_bytes:
      return "network_tx_bytes";
    case Field::memory_utilization_ratio:
      return "memory_utilization_ratio";
  }
  return {};
}

bool has_field(const Metadata& metadata, Field field) {
  return field != Field::memory_utilization_ratio || metadata.allocated_memory_bytes > 0;
}

Result<Value> value_of(const Sample& sample, Field field) {
  const auto& metadata = *sample.metadata;
  switch (field) {
    case Field::allocated_memory_bytes:
      return metadata.allocated_memory_bytes;
    case Field::allocated_vcpus:
      return metadata.allocated_vcpus;
    case Field::cpu_seconds:
      return sample.cpu_seconds;
    case Field::instance_id:
      return std::string_view{metadata.id};
    case Field::instance_name:
      return std::string_view{metadata.name};
    case Field::memory_rss_bytes:
      return sample.memory.map([](const MemoryUsage& memory) { return Value{memory.rss_bytes}; });
    case Field::memory_vms_bytes:
      return sample.memory.map([](const MemoryUsage& memory) { return Value{memory.vms_bytes}; });
    case Field::network_rx_bytes:
      return sample.network.map([](const NetworkTraffic& net) { return Value{net.rx_bytes}; });
    case Field::network_tx_bytes:
      return sample.network.map([](const NetworkTraffic& net) { return Value{net.tx_bytes}; });
    case Field::memory_utilization_ratio:
      return sample.memory.map([&](const MemoryUsage& memory) {
        return Value{static_cast<double>(memory.rss_bytes) /
                     static_cast<double>(metadata.allocated_memory_bytes)};
      });
  }
  return failure(EINVAL);
}

}  // namespace hypeman::collector
