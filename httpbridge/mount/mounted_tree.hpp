#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "httpbridge/mount/descriptor_cache.hpp"

namespace hypeman::httpbridge {

/// The file system that was found at the statistics directory at one time. When another one is
/// found there, a new MountedTree replaces it, and the last user closes the old descriptors.
/// Nothing but descriptors is kept between calls: no contents, no results of look-ups.
/// Thread-safe.
class MountedTree {
 public:
  /// Identifies a mounted file system. Unique while a descriptor of the file system is open.
  struct Identity {
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    std::uint64_t mount = 0;
    bool is_mount_root = false;

    bool operator==(const Identity&) const = default;
  };

  /// For open().
  MountedTree(UniqueFd root, const Identity& identity, std::size_t max_cached_files)
      : root_(std::move(root)), identity_(identity), cache_(max_cached_files) {}

  /// Only a FUSE mount gets a cache of descriptors, because only there a read at offset 0 of an
  /// open file is known to take a new sample.
  [[nodiscard]] static Result<std::shared_ptr<const MountedTree>> open(
      const std::string& directory, std::size_t max_cached_files);

  /// Whether `directory` still shows this file system.
  [[nodiscard]] bool is_at(const std::string& directory) const;

  /// An error if this is not a tree of statistics, for example the empty directory below an absent
  /// mount, or if its daemon does not answer.
  [[nodiscard]] Result<void> check() const;

  /// The stats.json of the instance with this ID.
  [[nodiscard]] Result<std::string> read_stats(const std::string& id) const;
  /// The ID of the instance that has `wanted` as its ID, else as its name.
  [[nodiscard]] Result<std::string> find(const std::string& wanted) const;
  /// The IDs of all instances: sorted lines.
  [[nodiscard]] Result<std::string> list_ids() const;
  /// A file at the top of the tree. It may be large.
  [[nodiscard]] Result<std::string> read_file(const std::string& name) const;

  /// Closes the cached file that has not been used for the longest time if its instance is gone.
  /// Each read calls it; only every eighth call checks a file.
  void forget_deleted() const;

 private:
  [[nodiscard]] static Result<Identity> identify(int directory, const std::string& path, int flags);
  [[nodiscard]] Result<UniqueFd> open_file(const std::string& path) const;
  [[nodiscard]] Result<std::string> find_by_name(const std::string& name) const;

  UniqueFd root_;
  Identity identity_;
  mutable DescriptorCache cache_;
  mutable std::atomic<unsigned> reads_ = 0;
};

}  // namespace hypeman::httpbridge
