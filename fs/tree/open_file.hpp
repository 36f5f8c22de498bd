#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "collector/instances/instance.hpp"
#include "fs/tree/content.hpp"
#include "fs/tree/node.hpp"

namespace hypeman::fs {

/// One open(2) of a file. Tree::read() fills it.
struct OpenFile {
  OpenFile(Node opened, Inode number, std::shared_ptr<collector::Instance> owner)
      : node{std::move(opened)}, inode{number}, instance{std::move(owner)} {}

  const Node node;
  const Inode inode;
  const std::shared_ptr<collector::Instance> instance;  ///< null for a file of the whole host

  std::mutex mutex;  ///< guards the members below
  Content content;
  bool has_content = false;
};

/// A part of the content of an open file. The file is locked, and the bytes are valid, until the
/// destructor runs.
struct Slice {
  std::unique_lock<std::mutex> lock;
  std::string_view bytes;
};

}  // namespace hypeman::fs
