#pragma once

#include <mutex>
#include <vector>

#include <fuse_lowlevel.h>

#include "fs/fuse/handle_table.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// An open directory: its listing stands still while it is read on, and is made anew when it is
/// read from the beginning.
struct OpenDirectory {
  std::mutex mutex;
  std::vector<DirectoryEntry> entries;
};

/// The tree, and what the kernel has open of it. Thread-safe.
struct ServedTree {
  Tree& tree;
  HandleTable<OpenFile> files;
  HandleTable<OpenDirectory> directories;
};

/// The tree as operations of a libfuse session whose user data is a ServedTree*. The only place
/// that replies to the kernel, and the only one in which errors and exceptions become an errno of a
/// reply.
[[nodiscard]] fuse_lowlevel_ops fuse_operations();

}  // namespace hypeman::fs
