#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "collector/statistics/statistic.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

using collector::Statistic;
using collector::statistics;

/// A document of this repository.
std::string document(const std::string& path) {
  std::ifstream file{std::string{paths::source_root} + "/" + path};
  if (!file) {
    throw std::runtime_error{path + ": cannot be read"};
  }
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string without(std::string text, std::string_view mark) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.erase(at, mark.size());
  }
  return text;
}

/// A row of a Markdown table. An empty cell is a single blank.
std::string row(std::initializer_list<std::string_view> cells) {
  std::string text = "|";
  for (const auto cell : cells) {
    text += cell.empty() ? " |" : " " + std::string{cell} + " |";
  }
  return text + "\n";
}

/// The entry of a statistic in hypeman-stats(5).
std::string manual_entry(const Statistic& statistic) {
  std::string text = ".It Pa " + std::string{statistic.name} + "\n";
  if (!statistic.unit.empty()) {
    text += "Unit: " + std::string{statistic.unit} + ".\n";
  }
  return text + "Source: " + std::string{statistic.source_text} + ".\n";
}

TEST(Documentation, ReadmeHasARowForEachStatistic) {
  const auto readme = without(document("README.md"), "`");
  for (const auto& statistic : statistics()) {
    const auto wanted = row({statistic.name, statistic.unit, statistic.source_text});
    EXPECT_NE(readme.find("\n" + wanted), std::string::npos) << "README.md lacks: " << wanted;
  }
}

TEST(Documentation, TreeInTheReadmeHasEachStatistic) {
  const auto readme = document("README.md");
  for (const auto& statistic : statistics()) {
    const auto entry = "── " + std::string{statistic.name} + "\n";
    EXPECT_NE(readme.find(entry), std::string::npos) << statistic.name;
  }
}

TEST(Documentation, ManualHasAnEntryForEachStatistic) {
  auto manual = document("docs/hypeman-stats.5");
  manual = std::regex_replace(manual, std::regex{R"(\\e)"}, R"(\)");
  for (const auto& statistic : statistics()) {
    const auto wanted = manual_entry(statistic);
    EXPECT_NE(manual.find(wanted), std::string::npos) << "hypeman-stats.5 lacks: " << wanted;
  }
}

/// The directories with source code, relative to the repository.
std::set<std::string> rooms() {
  const std::filesystem::path root{paths::source_root};
  std::set<std::string> found;
  for (const auto* top : {"base", "collector", "fs", "httpbridge"}) {
    found.insert(top);
    for (const auto& entry : std::filesystem::directory_iterator{root / top}) {
      if (entry.is_directory()) {
        found.insert(std::string{top} + "/" + entry.path().filename().string());
      }
    }
  }
  return found;
}

TEST(Documentation, DevelopmentListsEachSourceDirectory) {
  const auto text = document("docs/development.md");
  auto map = text.substr(text.find("## Directories"));
  map = map.substr(0, map.find("docs/ systemd/"));
  std::istringstream lines{map};
  std::set<std::string> drawn;
  std::string top;
  static const std::regex room{R"(^( *)(\w+)/ .*)"};
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch match; std::regex_match(line, match, room)) {
      const bool is_top = match.length(1) == 0;
      top = is_top ? match.str(2) : top;
      drawn.insert(is_top ? top : top + "/" + match.str(2));
    }
  }
  EXPECT_EQ(drawn, rooms());
}

TEST(Documentation, PrometheusPageHasARowForEachMetric) {
  const auto page = without(document("docs/prometheus.md"), "`");
  for (const auto& statistic : statistics()) {
    if (const auto& metric = statistic.metric; !metric.name.empty()) {
      const auto wanted = row({metric.name, metric.type, metric.help});
      EXPECT_NE(page.find("\n" + wanted), std::string::npos) << "prometheus.md lacks: " << wanted;
    }
  }
}

}  // namespace
}  // namespace hypeman::tests
