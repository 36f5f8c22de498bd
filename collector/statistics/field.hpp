#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The documented statistics, in the documented order.
enum class Field : std::uint8_t {
  allocated_memory_bytes,
  allocated_vcpus,
  cpu_seconds,
  instance_id,
  instance_name,
  memory_rss_bytes,
  memory_vms_bytes,
  network_rx_bytes,
  network_tx_bytes,
  memory_utilization_ratio,
};

inline constexpr std::array all_fields{
    Field::allocated_memory_bytes,
    Field::allocated_vcpus,
    Field::cpu_seconds,
    Field::instance_id,
    Field::instance_name,
    Field::memory_rss_bytes,
    Field::memory_vms_bytes,
    Field::network_rx_bytes,
    Field::network_tx_bytes,
    Field::memory_utilization_ratio,
};

/// The documented name: a file's name, and a key of stats.json.
[[nodiscard]] std::string_view field_name(Field field);

/// Text refers to the sample's metadata.
using Value = std::variant<std::uint64_t, double, std::string_view>;

/// Whether the instance has the field at all: memory_utilization_ratio is there only while some
/// memory is allocated.
[[nodiscard]] bool has_field(const Metadata& metadata, Field field);

/// The field's value in a sample of an instance that has it, or why it could not be measured.
[[nodiscard]] Result<Value> value_of(const Sample& sample, Field field);

}  // namespace hypeman::collector
