#pragma once

#include <mutex>
#include <vector>

#include <fuse_lowlevel.h>

#include "fs/fuse/handle_table.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// An open directory. A read at offset 0 makes a new listing; reads at later offsets continue it.
struct OpenDirectory {
  std::mutex mutex;
  std::vector<DirectoryEntry> entries;
};

/// The tree and its open files and directories. Thread-safe.
struct ServedTree {
  Tree& tree;
  HandleTable<OpenFile> files;
  HandleTable<OpenDirectory> directories;
};

/// The operations of a libfuse session whose user data is a ServedTree*. No other code replies to
/// the kernel or turns an error or an exception into the errno of a reply.
[[nodiscard]] fuse_lowlevel_ops fuse_operations();

}  // namespace hypeman::fs
