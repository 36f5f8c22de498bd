#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "fs/tree/instance_file.hpp"

namespace hypeman::fs {

/// What a node is. The files of an instance have the numbers from first_file on, in the order of
/// InstanceFile::index().
enum class Row : std::uint8_t { root = 1, by_name, metrics, instance, link, first_file };

/// What a path of the tree leads to: a VM and a row. It need not exist: the collector is asked each
/// time whether it does.
struct Node {
  Row row = Row::root;
  std::string key = {};     ///< the instance's ID, or the name of a link; empty: of no VM
  std::uint16_t index = 0;  ///< for a row that an instance has several times

  /// Nothing unless the node is a file of an instance.
  [[nodiscard]] std::optional<InstanceFile> file() const;

  bool operator==(const Node&) const = default;
};

[[nodiscard]] Node file_node(std::string id, InstanceFile file);

/// A FUSE node ID, which is the inode number as well.
using Inode = std::uint64_t;

/// The nodes that the kernel knows, by inode number. The number follows from the node alone, so a
/// listing knows it before anybody looks the node up, and it is the same after a restart. The table
/// holds one entry for each VM, whatever the number of its files. Thread-safe.
class NodeTable {
 public:
  /// The number that acquire() will give, unless two keys have the same hash of 42 bits.
  [[nodiscard]] static Inode number_of(const Node& node);

  /// Counts one look-up of the node by the kernel.
  [[nodiscard]] Inode acquire(const Node& node);

  /// Subtracts `count` look-ups of an inode. The last one removes the entry.
  void release(Inode inode, std::uint64_t count);

  /// Nothing for a number that the kernel does not know.
  [[nodiscard]] std::optional<Node> find(Inode inode) const;

 private:
  struct Entry {
    std::string key;
    bool is_link = false;
    std::uint64_t lookups = 0;
  };

  mutable std::shared_mutex mutex_;
  std::unordered_map<Inode, Entry> entries_;  // by the number without row and index
};

}  // namespace hypeman::fs
