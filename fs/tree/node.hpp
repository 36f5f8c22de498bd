#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <variant>

#include "fs/tree/instance_file.hpp"

namespace hypeman::fs {

/// What a path of the tree leads to. A node is a name, not a thing that has to exist: whether it
/// does is asked of the collector each time.
struct RootNode {};
struct ByNameNode {};
struct MetricsNode {};
struct InstanceNode {
  std::string id;
};
struct FileNode {
  std::string id;
  InstanceFile file;
};
struct LinkNode {
  std::string name;
};
using Node = std::variant<RootNode, ByNameNode, MetricsNode, InstanceNode, FileNode, LinkNode>;

/// A FUSE node ID, which is the inode number too.
using Inode = std::uint64_t;

/// The nodes that the kernel knows of, by number. A number follows from the node alone, so that a
/// listing can tell it before anybody looks the node up, and it is the same after a restart.
/// Thread-safe.
class NodeTable {
 public:
  /// The number that acquire() will give, unless two of 2^60 hashes collide.
  [[nodiscard]] static Inode number_of(const Node& node);

  /// Counts one more look-up of the node by the kernel.
  [[nodiscard]] Inode acquire(const Node& node);

  /// Takes back `count` look-ups of what acquire() gave; with the last one the number is free.
  void release(Inode inode, std::uint64_t count);

  /// Nothing for a number that the kernel does not hold.
  [[nodiscard]] std::optional<Node> find(Inode inode) const;

 private:
  struct Entry {
    std::string key;  // the instance's ID, or the link's name
    bool is_link = false;
    std::uint64_t lookups = 0;
  };

  mutable std::shared_mutex mutex_;
  std::unordered_map<Inode, Entry> entries_;  // by the number without its low bits
};

}  // namespace hypeman::fs
