#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hypeman::httpbridge::testing {

/// A tree of the documented shape for a bridge to serve, which a test can change. The end-to-end
/// tests run once for each kind that served_trees() lists.
class ServedTree {
 public:
  ServedTree() = default;
  virtual ~ServedTree() = default;
  ServedTree(const ServedTree&) = delete;
  ServedTree& operator=(const ServedTree&) = delete;
  ServedTree(ServedTree&&) = delete;
  ServedTree& operator=(ServedTree&&) = delete;

  /// What --stats-dir gets.
  [[nodiscard]] virtual std::filesystem::path directory() const = 0;

  /// Makes a stopped instance (so that its statistics do not change between two reads).
  virtual void add(const std::string& id, const std::string& name) = 0;
  virtual void remove(const std::string& id, const std::string& name) = 0;
  virtual void rename(const std::string& id, const std::string& from, const std::string& to) = 0;

  /// Changes the allocated memory that stats.json tells.
  virtual void resize(const std::string& id, const std::string& name, long memory_bytes) = 0;

  /// As when the daemon ends: the directory has no statistics, and is there or not.
  virtual void vanish() = 0;
  virtual void come_back() = 0;

  /// The bytes of stats.json as the file system has them.
  [[nodiscard]] std::string stats_of(const std::string& id) const;
};

struct TreeKind {
  std::string name;
  std::function<std::unique_ptr<ServedTree>()> make;
  bool mounts = false;  ///< needs what tests::EndToEndTest needs
};

/// What gtest prints of it.
void PrintTo(const TreeKind& kind, std::ostream* to);  // NOLINT(readability-identifier-naming)

/// Files on an ordinary file system.
[[nodiscard]] TreeKind plain_directory();

/// The daemon's own mount. Where one is not possible the tests that ask for it say so.
[[nodiscard]] TreeKind real_mount();

/// Every kind of tree that the end-to-end tests shall pass on.
[[nodiscard]] std::vector<TreeKind> served_trees();

/// For INSTANTIATE_TEST_SUITE_P.
[[nodiscard]] std::string name_of(const ::testing::TestParamInfo<TreeKind>& info);

}  // namespace hypeman::httpbridge::testing
