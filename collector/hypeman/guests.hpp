#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

/// guests/ of Hypeman's data directory: one directory an instance, and what a fork leaves there.
/// `data_dir` is a descriptor of the data directory. All functions are thread-safe.
namespace hypeman::collector {

/// A directory that may belong to an instance.
struct GuestDirectory {
  std::string id;
  bool is_directory = false;  ///< the listing says so; else it may also be a symlink
};

/// Opens guests/. It may be a symlink: that is the operator's choice.
[[nodiscard]] Result<UniqueFd> open_guests(int data_dir);

/// All directories of guests/ that are named like an instance, sorted by ID. Empty if there is no
/// guests/ yet.
[[nodiscard]] Result<std::vector<GuestDirectory>> list_guests(int data_dir);

/// The path of an instance's directory below the data directory.
[[nodiscard]] std::string guest_path(std::string_view id);

/// Whether a Firecracker fork has renamed the instance's directory for a moment
/// (guests/<id>.fork-bak.<nanoseconds>). True as well if guests/ cannot be listed: that is no proof
/// of a deletion.
[[nodiscard]] bool is_renamed_for_fork(int data_dir, std::string_view id);

}  // namespace hypeman::collector
