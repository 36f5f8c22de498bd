#include "fs/tree/node.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

#include "fs/tree/host_file.hpp"

namespace hypeman::fs {
namespace {

// The bits of an inode number, from the lowest: 7 for the row, 13 for the index, 43 for the key.
// The highest bit is 0, because some programs store the number in a signed type. A node without a
// VM has the key 0, so the root has the number 1, which FUSE requires.
constexpr unsigned row_bits = 7;
constexpr unsigned index_bits = 13;
constexpr unsigned key_shift = row_bits + index_bits;
constexpr Inode row_mask = (Inode{1} << row_bits) - 1;
constexpr Inode index_mask = (Inode{1} << index_bits) - 1;
constexpr Inode low_mask = (Inode{1} << key_shift) - 1;
constexpr Inode key_step = Inode{1} << key_shift;
constexpr Inode used_key = Inode{1} << 62U;  // the key of a VM is never 0
constexpr Inode key_mask = (used_key - 1) & ~low_mask;

constexpr auto number(Row row) {
  return static_cast<Inode>(row);
}

Inode key_bits(const Node& node) {
  if (node.key.empty()) {
    return 0;
  }
  // The name of a VM may be equal to the ID of another VM, so links get different numbers.
  const Inode salt = node.row == Row::link ? key_step : 0;
  return ((std::hash<std::string_view>{}(node.key) ^ salt) & key_mask) | used_key;
}

/// Whether an instance or a link can have such a node.
bool is_of_instance(const Node& node) {
  if (const auto file = node.file()) {
    return file->index() < InstanceFile::count() && (file->is_of_vcpu() || node.index == 0);
  }
  return node.row >= Row::instance && (node.row == Row::vcpu || node.index == 0);
}

Inode low_bits(const Node& node) {
  return number(node.row) | (Inode{node.index} & index_mask) << row_bits;
}

}  // namespace

static_assert(static_cast<std::size_t>(Row::first_file) + InstanceFile::max_count <= row_mask);
static_assert(Node::max_index == index_mask);

std::optional<InstanceFile> Node::file() const {
  if (row < Row::first_file) {
    return std::nullopt;
  }
  return InstanceFile{static_cast<std::size_t>(row) - static_cast<std::size_t>(Row::first_file),
                      index};
}

Node file_node(std::string id, InstanceFile file) {
  return {.row = static_cast<Row>(static_cast<std::size_t>(Row::first_file) + file.index()),
          .key = std::move(id),
          .index = static_cast<std::uint16_t>(file.vcpu())};
}

Inode NodeTable::number_of(const Node& node) {
  return key_bits(node) | low_bits(node);
}

Inode NodeTable::acquire(const Node& node) {
  auto key = key_bits(node);
  if (key == 0) {
    return low_bits(node);
  }
  const bool is_link = node.row == Row::link;
  const std::unique_lock lock{mutex_};
  for (;; key = ((key + key_step) & key_mask) | used_key) {
    auto& entry = entries_[key];
    if (entry.lookups == 0) {
      entry = Entry{.key = node.key, .is_link = is_link, .lookups = 0};
    }
    if (entry.key == node.key && entry.is_link == is_link) {
      ++entry.lookups;
      return key | low_bits(node);
    }
  }
}

void NodeTable::release(Inode inode, std::uint64_t count) {
  const std::unique_lock lock{mutex_};
  const auto found = entries_.find(inode & ~low_mask);
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
  const auto row = static_cast<Row>(inode & row_mask);
  const auto index = static_cast<std::uint16_t>(inode >> row_bits & index_mask);
  if (inode < key_step) {
    const bool is_known = row == Row::host_file
                              ? index < host_files().size()
                              : (row == Row::root || row == Row::by_name) && index == 0;
    return is_known ? std::optional{Node{.row = row, .index = index}} : std::nullopt;
  }
  const std::shared_lock lock{mutex_};
  const auto found = entries_.find(inode & ~low_mask);
  if (found == entries_.end()) {
    return std::nullopt;
  }
  const auto& entry = found->second;
  Node node{.row = row, .key = entry.key, .index = index};
  const bool is_known = entry.is_link == (row == Row::link) && is_of_instance(node);
  return is_known ? std::optional{std::move(node)} : std::nullopt;
}

}  // namespace hypeman::fs
