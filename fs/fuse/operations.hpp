#pragma once

#include <memory>

#include <fuse_lowlevel.h>

#include "fs/fuse/deferred_requests.hpp"
#include "fs/fuse/handle_table.hpp"
#include "fs/ring/rings.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// The tree and its open files and directories. Thread-safe.
struct ServedTree {
  Tree& tree;
  HandleTable<OpenFile> files;
  HandleTable<OpenDirectory> directories;
  DeferredRequests deferred{8};
  /// Look-ups of names. Most of these threads wait for the same list of all VMs.
  DeferredRequests deferred_names{64};
  std::unique_ptr<Rings> rings;  ///< null: all requests come from /dev/fuse
  bool accepts_rings = false;    ///< while FUSE_INIT is answered: accept the kernel's offer
  std::weak_ptr<void> owner;     ///< of this object and of the session; deferred requests keep it
};

/// The operations of a libfuse session whose user data is a ServedTree*. No other code replies to
/// the kernel or turns an error or an exception into the errno of a reply.
[[nodiscard]] fuse_lowlevel_ops fuse_operations();

}  // namespace hypeman::fs
