#include "collector/statistics/stats_json.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collector/statistics/json.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::collector {
Sources stats_json_sources() {
  static const auto sources =
      sources_of_those([](const Statistic& statistic) { return statistic.in_stats_json; });
  return sources;
}

void append_stats_json(const Sample& sample, std::string& out) {
  out += "{\n";
  std::string_view separator;
  std::size_t padding = 0;
  for (const auto& statistic : statistics()) {
    if (!statistic.in_stats_json || !statistic.is_in(*sample.record)) {
      continue;
    }
    if (!separator.empty()) {
      out.append(separator).append(padding, ' ').append("\n");
    }
    separator = ",";
    out.append("  \"").append(statistic.name).append("\": ");
    const auto begin = out.size();
    const auto value = statistic.value(sample).value_or(Value{std::uint64_t{0}});
    append_json(value, out);
    padding = statistic.sources.any()
                  ? max_number_size - std::min(out.size() - begin, max_number_size)
                  : 0;
  }
  out.append(padding, ' ').append("\n}\n");
}

}  // namespace hypeman::collector
