#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hypeman::httpbridge::testing {

/// A tree of statistics that a bridge serves and a test can change. The end-to-end tests run once
/// for each kind in served_trees().
class ServedTree {
 public:
  ServedTree() = default;
  virtual ~ServedTree() = default;
  ServedTree(const ServedTree&) = delete;
  ServedTree& operator=(const ServedTree&) = delete;
  ServedTree(ServedTree&&) = delete;
  ServedTree& operator=(ServedTree&&) = delete;

  /// The argument of --stats-dir.
  [[nodiscard]] virtual std::filesystem::path directory() const = 0;

  /// Adds a stopped instance: its statistics do not change between two reads.
  virtual void add(const std::string& id, const std::string& name) = 0;
  virtual void remove(const std::string& id, const std::string& name) = 0;
  virtual void rename(const std::string& id, const std::string& from, const std::string& to) = 0;

  /// Changes the allocated memory in stats.json.
  virtual void resize(const std::string& id, const std::string& name, long memory_bytes) = 0;

  /// Acts like the end of the daemon: the directory has no statistics, or does not exist.
  virtual void vanish() = 0;
  virtual void come_back() = 0;

  /// The contents of stats.json in the file system.
  [[nodiscard]] std::string stats_of(const std::string& id) const;
};

struct TreeKind {
  std::string name;
  std::function<std::unique_ptr<ServedTree>()> make;
  bool mounts = false;  ///< has the requirements of tests::EndToEndTest
};

/// For the output of GoogleTest.
void PrintTo(const TreeKind& kind, std::ostream* to);  // NOLINT(readability-identifier-naming)

/// Files on an ordinary file system.
[[nodiscard]] TreeKind plain_directory();

/// A mount of hypeman-statsfs. Tests skip it where mounting is not possible.
[[nodiscard]] TreeKind real_mount();

/// All kinds of trees for the end-to-end tests.
[[nodiscard]] std::vector<TreeKind> served_trees();

/// For INSTANTIATE_TEST_SUITE_P.
[[nodiscard]] std::string name_of(const ::testing::TestParamInfo<TreeKind>& info);

}  // namespace hypeman::httpbridge::testing
