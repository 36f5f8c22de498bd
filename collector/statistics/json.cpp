#include "collector/statistics/json.hpp"

#include <algorithm>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

namespace hypeman::collector {
namespace {

bool needs_no_escape(char character) {
  return character >= ' ' && character <= '~' && character != '"' && character != '\\';
}

}  // namespace

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

}  // namespace hypeman::collector
