#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

/// guests/ of Hypeman's data directory. It holds one directory for each instance, and for a moment
/// the directories that a fork renames. `data_dir` is a descriptor of the data directory. All
/// functions are thread-safe.
namespace hypeman::collector {

/// A directory that may belong to an instance.
struct GuestDirectory {
  std::string id;
  bool is_directory = false;  ///< false: unknown; it may be a symlink
};

/// Opens guests/. Follows a symlink: the operator may keep the guests in another place.
[[nodiscard]] Result<UniqueFd> open_guests(int data_dir);

/// All directories of guests/ that are named like an instance, sorted by ID. Empty if there is no
/// guests/ yet.
[[nodiscard]] Result<std::vector<GuestDirectory>> list_guests(int data_dir);

/// The path of an instance's directory below the data directory.
[[nodiscard]] std::string guest_path(std::string_view id);

/// Whether a Firecracker fork has renamed the instance's directory for a moment
/// (guests/<id>.fork-bak.<nanoseconds>). Also true if guests/ cannot be listed, because then nobody
/// knows whether the instance was deleted.
[[nodiscard]] bool is_renamed_for_fork(int data_dir, std::string_view id);

}  // namespace hypeman::collector
