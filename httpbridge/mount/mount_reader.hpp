#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "base/result.hpp"
#include "httpbridge/mount/mounted_tree.hpp"
#include "httpbridge/mount/read_error.hpp"

namespace hypeman::httpbridge {

/// Reads statistics from a directory that has the layout of /run/hypeman/stats. A result shows the
/// files as they are after the call started, also when the directory is unmounted and mounted
/// again. Each call blocks as long as the file system does. Thread-safe.
class MountReader {
 public:
  /// The directory need not exist yet. At most `max_cached_files` files are kept open.
  MountReader(std::string directory, std::size_t max_cached_files);

  /// The stats.json of the instance with this ID.
  [[nodiscard]] tl::expected<std::string, ReadError> read_stats(const std::string& id);

  /// The ID of the instance that has `wanted` as its ID, else as its name.
  [[nodiscard]] tl::expected<std::string, ReadError> find(const std::string& wanted);

  /// The IDs of all instances: sorted lines.
  [[nodiscard]] tl::expected<std::string, ReadError> list_ids();

  /// The contents of a file at the top of the tree. Every current daemon has it, so
  /// ReadError::unavailable if it is missing.
  [[nodiscard]] tl::expected<std::string, ReadError> read_file(const std::string& name);

  /// Whether the statistics are mounted and their daemon answers.
  [[nodiscard]] tl::expected<void, ReadError> check();

 private:
  using TreePtr = std::shared_ptr<const MountedTree>;
  using ReadFunction = std::function<Result<std::string>(const MountedTree& tree)>;

  /// `what` is for the log.
  tl::expected<std::string, ReadError> read(std::string_view what, const ReadFunction& read_from);
  /// The tree that is mounted at the directory now.
  [[nodiscard]] Result<TreePtr> current_tree();
  void log_recovery();
  /// Logs that a file is missing, once until set_present() for the same file.
  void set_missing(const std::string& name);
  void set_present(const std::string& name);
  /// Logs the cause and returns the error for the reply.
  tl::unexpected<ReadError> outage(std::error_code cause);

  std::string directory_;
  std::size_t max_cached_files_;
  std::mutex mutex_;  // for tree_ and missing_files_
  TreePtr tree_;
  std::set<std::string> missing_files_;
  std::atomic<int> outage_ = 0;  // its errno: an outage is logged once, not for each request
};

}  // namespace hypeman::httpbridge
