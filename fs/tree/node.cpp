#include "fs/tree/node.hpp"

#include <functional>
#include <mutex>
#include <string_view>

namespace hypeman::fs {
namespace {

// A number is a hash, and in its low bits which of the nodes that share the hash is meant: the
// instance's directory, its files, or a link. The root and what is fixed have no hash.
constexpr Inode low_bits = 0xf;
constexpr Inode root_number = 1;  // FUSE_ROOT_ID
constexpr Inode by_name_number = 2;
constexpr Inode metrics_number = 3;
constexpr Inode directory_bits = 0;
constexpr Inode first_file_bits = 1;
constexpr Inode link_bits = low_bits;
static_assert(first_file_bits + InstanceFile::count <= link_bits);

struct Parts {
  std::string_view key;
  Inode bits = 0;
};

/// The key of a node that needs one, and the low bits of its number.
struct Split {
  Parts operator()(const RootNode& /*node*/) const { return {{}, root_number}; }
  Parts operator()(const ByNameNode& /*node*/) const { return {{}, by_name_number}; }
  Parts operator()(const MetricsNode& /*node*/) const { return {{}, metrics_number}; }
  Parts operator()(const InstanceNode& node) const { return {node.id, directory_bits}; }
  Parts operator()(const FileNode& node) const {
    return {node.id, first_file_bits + node.file.index()};
  }
  Parts operator()(const LinkNode& node) const { return {node.name, link_bits}; }
};

Inode hash_of(const Parts& parts) {
  if (parts.key.empty()) {
    return 0;
  }
  // Names and IDs are two spaces: a VM may be called like another one's ID.
  const Inode hash =
      std::hash<std::string_view>{}(parts.key) ^ (parts.bits == link_bits ? 1U << 4U : 0U);
  return (hash | (Inode{1} << 63U)) & ~low_bits;
}

}  // namespace

Inode NodeTable::number_of(const Node& node) {
  const auto parts = std::visit(Split{}, node);
  return hash_of(parts) | parts.bits;
}

Inode NodeTable::acquire(const Node& node) {
  const auto parts = std::visit(Split{}, node);
  auto number = hash_of(parts);
  if (number == 0) {
    return parts.bits;
  }
  const bool is_link = parts.bits == link_bits;
  const std::unique_lock lock{mutex_};
  for (;; number += low_bits + 1) {
    auto& entry = entries_[number];
    if (entry.lookups == 0) {
      entry = Entry{.key = std::string{parts.key}, .is_link = is_link, .lookups = 0};
    }
    if (entry.key == parts.key && entry.is_link == is_link) {
      ++entry.lookups;
      return number | parts.bits;
    }
  }
}

void NodeTable::release(Inode inode, std::uint64_t count) {
  const std::unique_lock lock{mutex_};
  const auto found = entries_.find(inode & ~low_bits);
  if (found == entries_.end()) {
    return;
  }
  auto& lookups = found->second.lookups;
  lookups -= std::min(lookups, count);
  if (lookups == 0) {
    entries_.erase(found);
  }
}

std::optional<Node> NodeTable::find(Inode inode) const {
  if (inode == root_number) {
    return RootNode{};
  }
  if (inode == by_name_number) {
    return ByNameNode{};
  }
  if (inode == metrics_number) {
    return MetricsNode{};
  }
  const std::shared_lock lock{mutex_};
  const auto found = entries_.find(inode & ~low_bits);
  if (found == entries_.end()) {
    return std::nullopt;
  }
  const auto& entry = found->second;
  const auto bits = inode & low_bits;
  if (entry.is_link) {
    return LinkNode{entry.key};
  }
  if (bits == directory_bits) {
    return InstanceNode{entry.key};
  }
  if (bits - first_file_bits >= InstanceFile::count) {
    return std::nullopt;
  }
  return FileNode{entry.key, InstanceFile{bits - first_file_bits}};
}

}  // namespace hypeman::fs
