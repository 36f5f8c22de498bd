#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "httpbridge/resource.hpp"

namespace hypeman::httpbridge {

/// Why a resource could not be read.
enum class ReadFailure {
  not_found,
  ambiguous,
  unavailable,  ///< the tree is absent or dead, or did not answer in time; it may come back
  failed,       ///< the tree answered with something that is not what it documents
};

/// A directory of the shape of /run/hypeman/stats, read with plain file calls. Every read shows the
/// files as they are after it was called, also across unmounts and new mounts; only descriptors are
/// kept between calls, never contents or look-ups. Blocks as long as the file system does.
/// Thread-safe.
class StatsTree {
 public:
  /// The directory need not exist yet. At most `max_held` files are kept open, and those only where
  /// a read at offset 0 is known to take a fresh sample: on a FUSE mount.
  StatsTree(std::string directory, std::size_t max_held);
  ~StatsTree();
  StatsTree(const StatsTree&) = delete;
  StatsTree& operator=(const StatsTree&) = delete;
  StatsTree(StatsTree&&) = delete;
  StatsTree& operator=(StatsTree&&) = delete;

  /// The bytes of the resource; empty for ResourceKind::health, which only tells if the tree
  /// answers.
  [[nodiscard]] tl::expected<std::string, ReadFailure> read(const Resource& resource);

 private:
  class Mount;
  using MountPtr = std::shared_ptr<const Mount>;

  /// What is mounted at the directory at this moment, or nullptr.
  [[nodiscard]] MountPtr current_mount();
  void note_answer();
  void note_outage(std::error_code cause);

  std::string directory_;
  std::size_t max_held_;
  std::mutex mutex_;
  MountPtr mount_;
  std::atomic<bool> answering_ = true;  // so that an outage is logged once, not per request
};

}  // namespace hypeman::httpbridge
