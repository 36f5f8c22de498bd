#include <algorithm>
#include <cstddef>
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
#include <vector>

#include <gtest/gtest.h>

#include "base/version.hpp"
#include "collector/statistics/prometheus_text.hpp"
#include "collector/statistics/statistic.hpp"
#include "fs/tree/host_file.hpp"
#include "fs/tree/own_metrics.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

using collector::Presence;
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

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// A row of a Markdown table. An empty cell is a single blank.
std::string row(std::initializer_list<std::string_view> cells) {
  std::string text = "|";
  for (const auto cell : cells) {
    text += cell.empty() ? " |" : " " + std::string{cell} + " |";
  }
  return text + "\n";
}

/// How the entry of a file in hypeman-stats(5) begins.
std::string manual_item(std::string_view path) {
  return ".It Pa " + std::string{path} + "\n";
}

/// How the entry of a statistic in hypeman-stats(5) begins.
std::string manual_entry(const Statistic& statistic) {
  auto text = manual_item(statistic.path());
  if (!statistic.unit.empty()) {
    text += "Unit: " + std::string{statistic.unit} + ".\n";
  }
  text += "Source: " + std::string{statistic.source_text} + ".\n";
  return text + (statistic.presence == Presence::while_running ? "Exists: while the VM runs" : "");
}

TEST(Documentation, ReadmeHasARowForEachStatistic) {
  const auto readme = without(document("README.md"), "`");
  for (const auto& statistic : statistics()) {
    const auto wanted = row({statistic.path(), statistic.unit, statistic.source_text});
    EXPECT_NE(readme.find("\n" + wanted), std::string::npos) << "README.md lacks: " << wanted;
  }
}

/// The paths of the files in the tree of the README, below the mountpoint.
std::multiset<std::string> drawn_files() {
  const auto readme = document("README.md");
  auto tree = readme.substr(readme.find("\n/run/hypeman/stats/\n") + 1);
  tree = tree.substr(0, tree.find("```"));
  static const std::regex entry{"^((?:│   |    )*)(?:├── |└── )(.*)$"};
  static const std::regex between_names{"  +"};
  std::multiset<std::string> files;
  std::vector<std::string> directories;
  for (const auto& line : lines_of(tree)) {
    std::smatch match;
    if (!std::regex_match(line, match, entry)) {
      continue;
    }
    directories.resize(without(match.str(1), "│").size() / 3);  // "│" stands for a fourth blank
    const auto names = match.str(2).substr(0, match.str(2).find(" #"));
    for (std::sregex_token_iterator name{names.begin(), names.end(), between_names, -1}, end;
         name != end; ++name) {
      std::string path;
      for (const auto& directory : directories) {
        path += directory;
      }
      if (name->str().ends_with("/")) {
        directories.push_back(*name);
      } else if (name->length() > 0) {
        files.insert(path + name->str());
      }
    }
  }
  return files;
}

TEST(Documentation, TreeInTheReadmeHasExactlyTheFilesThatExist) {
  std::multiset<std::string> files{"by-name/<instance name> -> ../<instance id>",
                                   "<instance id>/stats.json"};
  for (const auto& statistic : statistics()) {
    files.insert("<instance id>/" + statistic.path());
  }
  for (const auto& file : fs::host_files()) {
    files.insert(std::string{file.name});
  }
  EXPECT_EQ(drawn_files(), files);
}

TEST(Documentation, ManualHasAnEntryForEachStatistic) {
  auto manual = document("docs/hypeman-stats.5");
  manual = std::regex_replace(manual, std::regex{R"(\\e)"}, R"(\)");
  for (const auto& statistic : statistics()) {
    const auto wanted = manual_entry(statistic);
    EXPECT_NE(manual.find(wanted), std::string::npos) << "hypeman-stats.5 lacks: " << wanted;
  }
}

TEST(Documentation, ManualHasAnEntryForEachFileOfTheHost) {
  const auto manual = document("docs/hypeman-stats.5");
  for (const auto& file : fs::host_files()) {
    EXPECT_NE(manual.find(manual_item(file.name)), std::string::npos) << file.name;
  }
}

/// The first match of the group in a document.
std::string first_match(const std::string& path, const std::regex& pattern) {
  const auto text = document(path);
  std::smatch match;
  return std::regex_search(text, match, pattern) ? match.str(1) : path + ": no match";
}

TEST(Documentation, ChangelogsNameTheVersionOfThePrograms) {
  EXPECT_EQ(first_match("CHANGELOG.md", std::regex{R"(\n## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d\n)"}),
            version);
  EXPECT_EQ(first_match("debian/changelog", std::regex{R"(^hypeman-statsfs \(([^)]*)\))"}),
            version);
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
  std::set<std::string> drawn;
  std::string top;
  static const std::regex room{R"(^( *)(\w+)/ .*)"};
  for (const auto& line : lines_of(map)) {
    if (std::smatch match; std::regex_match(line, match, room)) {
      const bool is_top = match.length(1) == 0;
      top = is_top ? match.str(2) : top;
      drawn.insert(is_top ? top : top + "/" + match.str(2));
    }
  }
  EXPECT_EQ(drawn, rooms());
}

/// A metrics.prom without VMs: it has all families, and the series that are not of a VM.
std::string empty_metrics() {
  return fs::OwnMetrics{}.text() + collector::prometheus_text({}, 0);
}

TEST(Documentation, DevelopmentListsEachLock) {
  const std::regex lock{R"(std::(\w+_)?mutex \w+;)"};
  std::set<std::string> in_sources;
  for (const std::string room : {"base", "collector", "fs", "httpbridge"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator{
             std::filesystem::path{paths::source_root} / room}) {
      const auto path = entry.path().lexically_relative(paths::source_root).string();
      if (entry.is_regular_file() && std::regex_search(document(path), lock)) {
        in_sources.insert(path);
      }
    }
  }
  const std::regex table_row{R"(^\| `(\S+)` \| [^|]+ \| [^|]+ \|$)"};
  std::set<std::string> in_document;
  const auto text = document("docs/development.md");
  const auto begin = text.find("\n## Locks\n");
  ASSERT_NE(begin, std::string::npos);
  for (const auto& line : lines_of(text.substr(begin, text.find("\n## ", begin + 1) - begin))) {
    if (std::smatch found; std::regex_match(line, found, table_row)) {
      in_document.insert(found[1]);
    }
  }
  EXPECT_EQ(in_document, in_sources);
}

TEST(Documentation, ReliabilityNamesTestsThatExist) {
  std::set<std::string> tests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{
           std::filesystem::path{paths::source_root} / "tests"}) {
    tests.insert(entry.path().stem().string());
  }
  const auto text = document("docs/reliability.md");
  const std::regex name{R"(`(?:\S*/)?(\w+_test)\b)"};
  std::size_t count = 0;
  for (auto found = std::sregex_iterator{text.begin(), text.end(), name};
       found != std::sregex_iterator{}; ++found, ++count) {
    EXPECT_TRUE(tests.contains((*found)[1])) << (*found)[1];
  }
  EXPECT_GT(count, 20U);
}

TEST(Documentation, PrometheusPageHasARowForEachFamily) {
  const auto page = without(document("docs/prometheus.md"), "`");
  const auto metrics = empty_metrics();
  static const std::regex family{"# HELP (\\w+) (.*)\n# TYPE (\\w+) (\\w+)\n"};
  std::set<std::string> names;
  for (std::sregex_iterator match{metrics.begin(), metrics.end(), family}, end; match != end;
       ++match) {
    ASSERT_EQ(match->str(1), match->str(3));
    names.insert(match->str(1));
    const auto wanted = row({match->str(1), match->str(4), match->str(2)});
    EXPECT_NE(page.find("\n" + wanted), std::string::npos) << "prometheus.md lacks: " << wanted;
  }
  for (const auto& statistic : statistics()) {
    EXPECT_TRUE(statistic.metric.name.empty() || names.contains(std::string{statistic.metric.name}))
        << statistic.metric.name;
  }
}

TEST(Documentation, PrometheusPageNamesEachKindOfError) {
  const auto page = document("docs/prometheus.md");
  const auto metrics = empty_metrics();
  static const std::regex error{R"re(error="(\w+)")re"};
  const auto begin = std::sregex_iterator{metrics.begin(), metrics.end(), error};
  EXPECT_NE(begin, std::sregex_iterator{});
  for (auto match = begin; match != std::sregex_iterator{}; ++match) {
    EXPECT_NE(page.find("`" + match->str(1) + "`"), std::string::npos) << match->str(1);
  }
}

}  // namespace
}  // namespace hypeman::tests
