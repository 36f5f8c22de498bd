#include "collector/statistics/field.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::all_fields;
using collector::Field;
using collector::field_name;
using collector::has_field;
using collector::Metadata;
using collector::Value;
using collector::value_of;

TEST(Field, NamesAreTheDocumentedOnesInTheDocumentedOrder) {
  std::vector<std::string_view> names;
  names.reserve(all_fields.size());
  for (const auto field : all_fields) {
    names.push_back(field_name(field));
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "allocated_memory_bytes", "allocated_vcpus", "cpu_seconds", "instance_id",
                       "instance_name", "memory_rss_bytes", "memory_vms_bytes", "network_rx_bytes",
                       "network_tx_bytes", "memory_utilization_ratio"}));
}

TEST(Field, ValuesAreThoseOfTheSample) {
  const auto sample = documented_sample();
  EXPECT_EQ(value_of(sample, Field::allocated_memory_bytes), Value{std::uint64_t{4294967296}});
  EXPECT_EQ(value_of(sample, Field::allocated_vcpus), Value{std::uint64_t{2}});
  EXPECT_EQ(value_of(sample, Field::cpu_seconds), Value{29.94});
  EXPECT_EQ(value_of(sample, Field::instance_id),
            Value{std::string_view{"qilviffnqzck2jrim1x6s2b1"}});
  EXPECT_EQ(value_of(sample, Field::instance_name), Value{std::string_view{"my-web-server"}});
  EXPECT_EQ(value_of(sample, Field::memory_rss_bytes), Value{std::uint64_t{443338752}});
  EXPECT_EQ(value_of(sample, Field::memory_vms_bytes), Value{std::uint64_t{4330745856}});
  EXPECT_EQ(value_of(sample, Field::network_rx_bytes), Value{std::uint64_t{12345678}});
  EXPECT_EQ(value_of(sample, Field::network_tx_bytes), Value{std::uint64_t{87654321}});
  EXPECT_EQ(value_of(sample, Field::memory_utilization_ratio), Value{443338752.0 / 4294967296.0});
}

TEST(Field, TheRatioIsThereOnlyWhileMemoryIsAllocated) {
  for (const auto field : all_fields) {
    EXPECT_TRUE(has_field(Metadata{.allocated_memory_bytes = 1}, field)) << field_name(field);
    EXPECT_EQ(has_field(Metadata{.allocated_memory_bytes = 0}, field),
              field != Field::memory_utilization_ratio)
        << field_name(field);
  }
}

TEST(Field, TheRatioMayExceedOne) {
  auto sample = documented_sample({.allocated_memory_bytes = 1000});
  sample.memory = collector::MemoryUsage{.rss_bytes = 2500, .vms_bytes = 5000};
  EXPECT_EQ(value_of(sample, Field::memory_utilization_ratio), Value{2.5});
}

TEST(Field, WhatCannotBeReadFailsAloneWithItsError) {
  auto sample = documented_sample();
  sample.network = failure(ENODEV);
  sample.memory = failure(ESRCH);
  sample.cpu_seconds = failure(EBADMSG);
  const std::set<Field> network{Field::network_rx_bytes, Field::network_tx_bytes};
  const std::set<Field> memory{Field::memory_rss_bytes, Field::memory_vms_bytes,
                               Field::memory_utilization_ratio};
  for (const auto field : all_fields) {
    int expected = 0;
    if (network.contains(field)) {
      expected = ENODEV;
    } else if (memory.contains(field)) {
      expected = ESRCH;
    } else if (field == Field::cpu_seconds) {
      expected = EBADMSG;
    }
    EXPECT_EQ(error_of(value_of(sample, field)), expected) << field_name(field);
  }
}

}  // namespace
}  // namespace hypeman::tests
