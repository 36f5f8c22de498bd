#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/instances.hpp"
#include "fs/tree/node.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/told_contents.hpp"

namespace hypeman::fs {

/// Who may read the tree. Directories are searchable by whom files are readable.
struct Access {
  mode_t file_mode = 0444;
  gid_t group = 0;

  [[nodiscard]] bool everybody() const { return file_mode == 0444; }
};

using Attributes = struct stat;

struct DirectoryEntry {
  std::string name;
  Attributes attributes;  ///< only st_ino and the type in st_mode
};

/// The tree as readers see it: what each node is and holds at the moment of the question. Knows
/// FUSE's node IDs, but not FUSE. Errors are errno values. Thread-safe.
class Tree {
 public:
  /// `instances` outlives this object and the files that it opens.
  Tree(collector::Instances& instances, Access access);

  [[nodiscard]] const Access& access() const { return access_; }

  /// Resolves a name in a directory and counts the look-up; forget() takes it back.
  [[nodiscard]] Result<Attributes> look_up(Inode directory, std::string_view name);
  void forget(Inode inode, std::uint64_t lookups) { nodes_.release(inode, lookups); }

  /// st_size of a file is what `reader` would get if it read now.
  [[nodiscard]] Result<Attributes> attributes(Inode inode, pid_t reader);

  [[nodiscard]] Result<std::string> read_link(Inode inode);
  [[nodiscard]] Result<std::unique_ptr<OpenFile>> open(Inode inode);

  /// Whether a directory is there to be listed.
  [[nodiscard]] Result<void> open_directory(Inode inode);
  [[nodiscard]] Result<std::vector<DirectoryEntry>> list(Inode inode);

 private:
  [[nodiscard]] Result<Node> node(Inode inode) const;
  [[nodiscard]] static Result<Node> child(const Node& directory, std::string_view name);

  [[nodiscard]] Attributes base_attributes(Inode inode, mode_t mode) const;
  [[nodiscard]] Attributes directory_attributes(Inode inode) const;
  [[nodiscard]] Result<Attributes> attributes(const Node& node, Inode inode, pid_t reader);
  [[nodiscard]] Result<Attributes> file_attributes(const ContentSource& source, Inode inode,
                                                   pid_t reader);
  [[nodiscard]] Result<Attributes> link_attributes(const LinkNode& node, Inode inode);
  [[nodiscard]] Result<std::string> target_of(const LinkNode& link);
  [[nodiscard]] Result<ContentSource> source_of(const FileNode& file);
  [[nodiscard]] ContentSource metrics_source();

  collector::Instances& instances_;
  const Access access_;
  const timespec mounted_at_;
  NodeTable nodes_;
  RecentContents recent_;
};

}  // namespace hypeman::fs
