#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/instances.hpp"
#include "collector/instances/shared_job.hpp"
#include "fs/tree/host_file.hpp"
#include "fs/tree/node.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/own_metrics.hpp"
#include "fs/tree/reader_memory.hpp"
#include "fs/tree/stat_cache.hpp"

namespace hypeman::fs {

/// Who may read the tree. Users who can read the files can also search the directories.
struct Access {
  mode_t file_mode = 0444;
  gid_t group = 0;

  [[nodiscard]] bool everybody() const { return file_mode == 0444; }
};

using Attributes = struct stat;

/// The tree as readers see it: path -> node -> content. No result is older than the call. It uses
/// FUSE node IDs but no FUSE functions. Errors are errno values. Thread-safe.
class Tree {
 public:
  /// `instances` must outlive this object and the files that it opens.
  Tree(collector::Instances& instances, Access access);

  [[nodiscard]] OwnMetrics& own_metrics() { return own_metrics_; }

  [[nodiscard]] const Access& access() const { return access_; }

  /// Whether the call may wait or take long, so that other readers should not have to wait for it.
  /// Reads no file.
  [[nodiscard]] bool look_up_may_wait(Inode directory, std::string_view name) const;
  [[nodiscard]] bool attributes_may_wait(Inode inode) const;
  [[nodiscard]] bool content_may_wait(Inode inode) const;  ///< list() and read_link()
  [[nodiscard]] bool read_may_wait(OpenFile& file, std::size_t offset) const;

  /// Finds a name in a directory and adds one look-up; forget() subtracts it. Measures nothing, so
  /// the st_size of a file is only an upper bound.
  [[nodiscard]] Result<Attributes> look_up(Inode directory, std::string_view name);
  void forget(Inode inode, std::uint64_t lookups) { nodes_.release(inode, lookups); }

  /// Attributes with the size of the content that the reader would read now. Measures only if the
  /// size depends on the numbers.
  [[nodiscard]] Result<Attributes> attributes(Inode inode, Reader reader);

  /// ENOENT: the file or directory does not exist any more.
  [[nodiscard]] Result<void> exists(Inode inode);

  [[nodiscard]] Result<std::string> read_link(Inode inode);

  /// ENOBUFS, here and below: the reader makes this process hold too much memory.
  [[nodiscard]] Result<std::shared_ptr<OpenFile>> open(Inode inode, Reader reader);

  /// Returns `size` bytes from `offset`, or fewer at the end of the file. A read at offset 0 takes
  /// a new sample, as in procfs. A read at a later offset continues it until the end was read.
  [[nodiscard]] Result<Slice> read(OpenFile& file, std::size_t offset, std::size_t size,
                                   Reader reader);

  /// ENOTDIR: the inode is not a directory.
  [[nodiscard]] Result<std::shared_ptr<OpenDirectory>> open_directory(Inode inode, Reader reader);

  /// The entries of a directory. If `first` is 0, this is a new listing. Later calls continue it,
  /// until one has asked for an entry behind the last.
  [[nodiscard]] Result<std::shared_ptr<const Listing>> list(OpenDirectory& directory,
                                                            std::size_t first, Reader reader);

 private:
  [[nodiscard]] Result<Node> node(Inode inode) const;
  [[nodiscard]] static Result<Node> child(const Node& directory, std::string_view name);
  [[nodiscard]] Result<void> exists(const Node& node);
  /// The instance of a file, if the instance has this file.
  [[nodiscard]] Result<collector::FoundInstance> owner(const Node& node, InstanceFile file);
  [[nodiscard]] Result<std::string> link_target(const Node& node);

  [[nodiscard]] Attributes base_attributes(Inode inode, mode_t mode) const;
  [[nodiscard]] Attributes directory_attributes(Inode inode) const;
  [[nodiscard]] Result<Attributes> unmeasured_attributes(const Node& node, Inode inode);
  [[nodiscard]] Result<Attributes> file_attributes(const Node& node, InstanceFile file, Inode inode,
                                                   Reader reader);
  [[nodiscard]] Result<Attributes> host_file_attributes(const HostFile& file, Inode inode,
                                                        Reader reader);

  [[nodiscard]] Result<std::shared_ptr<OpenFile>> try_open(Inode inode, Reader reader);
  [[nodiscard]] Result<Slice> try_read(OpenFile& file, std::size_t offset, std::size_t size,
                                       Reader reader);

  using Text = std::shared_ptr<const std::string>;
  [[nodiscard]] Result<Text> read_new(const OpenFile& file, Reader reader);
  [[nodiscard]] Result<Text> read_instance_file(const OpenFile& file, InstanceFile which,
                                                Reader reader);
  [[nodiscard]] Result<Text> read_host_file(const OpenFile& file, Reader reader);
  [[nodiscard]] Text host_text(const HostFile& file,
                               const std::vector<collector::FoundInstance>& instances,
                               std::size_t size) const;
  [[nodiscard]] Result<Listing> new_listing(const Node& directory);

  collector::Instances& instances_;
  const Access access_;
  const timespec mounted_at_;
  NodeTable nodes_;
  StatCache stat_cache_;
  ReaderMemory reader_memory_;
  OwnMetrics own_metrics_;
  std::array<collector::SharedJob<Result<Text>>, host_file_count> host_jobs_;
};

}  // namespace hypeman::fs
