#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "fs/tree/instance_file.hpp"

namespace hypeman::fs {

/// The kind of a node. The files of an instance have first_file and the following values, in the
/// order of InstanceFile::index().
enum class Row : std::uint8_t {
  root = 1,
  by_name,
  host_file,  ///< the index is the one in host_files()
  instance,
  link,
  vcpus,
  vcpu,  ///< the index is the number of the vCPU, also in the files of a vCPU
  first_file,
};

/// A place in the tree: a kind and a VM. The VM may no longer exist, so each use asks the
/// collector.
struct Node {
  Row row = Row::root;
  std::string key = {};     ///< the instance's ID or the name of a link; empty: no VM
  std::uint16_t index = 0;  ///< for rows that exist several times; at most max_index

  static constexpr std::uint16_t max_index = 8191;

  /// Nothing unless the node is a file of an instance.
  [[nodiscard]] std::optional<InstanceFile> file() const;

  bool operator==(const Node&) const = default;
};

[[nodiscard]] Node file_node(std::string id, InstanceFile file);

/// A FUSE node ID. It is also the inode number.
using Inode = std::uint64_t;

/// The nodes that the kernel knows, by inode number. The number depends only on the node, so a
/// listing can show it before a look-up, and a restart does not change it. The table has one entry
/// for each VM, not for each file. Thread-safe.
class NodeTable {
 public:
  /// The number that acquire() will return, unless the 42-bit hashes of two keys are equal.
  [[nodiscard]] static Inode number_of(const Node& node);

  /// Adds one look-up of the node by the kernel.
  [[nodiscard]] Inode acquire(const Node& node);

  /// Subtracts `count` look-ups of an inode. The last one removes the entry.
  void release(Inode inode, std::uint64_t count);

  /// Returns nothing for a number that the kernel does not know.
  [[nodiscard]] std::optional<Node> find(Inode inode) const;

 private:
  struct Entry {
    std::string key;
    bool is_link = false;
    std::uint64_t lookups = 0;
  };

  mutable std::shared_mutex mutex_;
  std::unordered_map<Inode, Entry> entries_;  // by inode number without row and index
};

}  // namespace hypeman::fs
