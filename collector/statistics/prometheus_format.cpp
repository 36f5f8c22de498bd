#include "collector/statistics/prometheus_format.hpp"

#include <algorithm>

namespace hypeman::collector {

void append_family(std::string_view name, std::string_view type, std::string_view help,
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

void fill_with_comments(std::string& out, std::size_t size) {
  constexpr std::size_t line = 80;
  while (out.size() < size) {
    out.append(std::min(size - out.size(), line) - 1, '#').append("\n");
  }
}

}  // namespace hypeman::collector
