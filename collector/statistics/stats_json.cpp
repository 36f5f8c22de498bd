#include "collector/statistics/stats_json.hpp"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

#include "collector/statistics/field.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
namespace {

bool needs_no_escape(char character) {
  return character >= ' ' && character <= '~' && character != '"' && character != '\\';
}

void append_json(const Value& value, std::string& out) {
  const auto* const text = std::get_if<std::string_view>(&value);
  if (text == nullptr) {
    append_value(value, out);
  } else if (std::ranges::all_of(*text, needs_no_escape)) {
    out.append("\"").append(*text).append("\"");
  } else {
    out += nlohmann::json(*text).dump();
  }
}

}  // namespace

void append_stats_json(const Sample& sample, std::string& out) {
  std::string_view separator = "{\n";
  for (const auto field : all_fields) {
    if (has_field(*sample.metadata, field)) {
      out.append(separator).append("  \"").append(field_name(field)).append("\": ");
      append_json(value_of(sample, field).value_or(Value{std::uint64_t{0}}), out);
      separator = ",\n";
    }
  }
  out += "\n}\n";
}

}  // namespace hypeman::collector
