#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/instances.hpp"
#include "fs/tree/node.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/stat_cache.hpp"

namespace hypeman::fs {

/// Who may read the tree. Users who can read the files can also search the directories.
struct Access {
  mode_t file_mode = 0444;
  gid_t group = 0;

  [[nodiscard]] bool everybody() const { return file_mode == 0444; }
};

using Attributes = struct stat;

struct DirectoryEntry {
  std::string name;
  Attributes attributes;  ///< holds only st_ino and the type in st_mode
};

/// The tree as readers see it: path -> node -> content. No result is older than the call. It uses
/// FUSE node IDs but no FUSE functions. Errors are errno values. Thread-safe.
class Tree {
 public:
  /// `instances` must outlive this object and the files that it opens.
  Tree(collector::Instances& instances, Access access);

  [[nodiscard]] const Access& access() const { return access_; }

  /// Finds a name in a directory and adds one look-up; forget() subtracts it. Measures nothing, so
  /// the st_size of a file is only an upper bound.
  [[nodiscard]] Result<Attributes> look_up(Inode directory, std::string_view name);
  void forget(Inode inode, std::uint64_t lookups) { nodes_.release(inode, lookups); }

  /// Attributes with the size of the content that the thread `reader` would read now. Measures only
  /// if the size depends on the numbers.
  [[nodiscard]] Result<Attributes> attributes(Inode inode, pid_t reader);

  [[nodiscard]] Result<std::string> read_link(Inode inode);
  [[nodiscard]] Result<std::shared_ptr<OpenFile>> open(Inode inode);

  /// Returns `size` bytes from `offset`, or fewer at the end of the file. A read at offset 0 takes
  /// a new sample, as in procfs. A read at a later offset continues it.
  [[nodiscard]] Result<Slice> read(OpenFile& file, std::size_t offset, std::size_t size,
                                   pid_t reader);

  /// Whether the inode is a directory that exists.
  [[nodiscard]] Result<void> open_directory(Inode inode);
  [[nodiscard]] Result<std::vector<DirectoryEntry>> list(Inode inode);

 private:
  [[nodiscard]] Result<Node> node(Inode inode) const;
  [[nodiscard]] static Result<Node> child(const Node& directory, std::string_view name);
  /// The instance of a file, if the instance has this file.
  [[nodiscard]] Result<collector::FoundInstance> owner(const Node& node, InstanceFile file);
  [[nodiscard]] Result<std::string> link_target(const Node& node);

  [[nodiscard]] Attributes base_attributes(Inode inode, mode_t mode) const;
  [[nodiscard]] Attributes directory_attributes(Inode inode) const;
  [[nodiscard]] Result<Attributes> unmeasured_attributes(const Node& node, Inode inode);
  [[nodiscard]] Result<Attributes> measured_attributes(const Node& node, Inode inode, pid_t reader);

  /// Measures and renders a file. `vm` is empty for a file of the whole host.
  [[nodiscard]] Result<void> measure(const Node& node, const collector::FoundInstance& vm,
                                     Content& content);
  [[nodiscard]] Result<void> refresh(OpenFile& file, pid_t reader);

  collector::Instances& instances_;
  const Access access_;
  const timespec mounted_at_;
  NodeTable nodes_;
  StatCache stat_cache_;
};

}  // namespace hypeman::fs
