#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"

namespace hypeman::fs {

/// Makes `path` fit to be mounted on and returns it absolute, without symlinks: creates what is
/// missing of it, and clears a mount that a crashed daemon has left ("Transport endpoint is not
/// connected"). The error is one line; a FUSE file system that is alive there is one.
[[nodiscard]] tl::expected<std::string, std::string> prepare_mountpoint(const std::string& path);

/// A FUSE file system in the mount table, from mount(2) to umount2(2).
class Mount {
 public:
  struct Options {
    std::string source;      ///< what mount(8) shows: the data directory
    std::string mountpoint;  ///< from prepare_mountpoint()
    bool check_permissions;  ///< let the kernel hold readers to the modes of the tree
  };

  /// Mounts read-only, without set-user-ID, devices and execution. The error is one line.
  [[nodiscard]] static tl::expected<Mount, std::string> create(const Options& options);

  Mount(Mount&& other) noexcept;
  Mount& operator=(Mount&&) = delete;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { unmount(); }

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }

  /// For a process that serves the mount and leaves it to another to unmount: the descriptor of
  /// /dev/fuse that the kernel's requests come through. Reads from it fail with ENODEV once the
  /// mount is gone and nobody has a file of it open.
  [[nodiscard]] UniqueFd leave_to_keeper();

  /// For that other process: a mount whose last descriptor is closed answers nothing any more, so
  /// it holds none.
  void close_device() { device_ = {}; }

  /// Whether this process may pass all directories on the way to the mountpoint.
  [[nodiscard]] bool within_reach() const;

  /// Takes it out of the mount table, also while readers hold files open. Does nothing if somebody
  /// else has done it, or has mounted something over it.
  void unmount();

 private:
  Mount(UniqueFd device, std::string mountpoint, std::uint64_t mount_id)
      : device_{std::move(device)}, mountpoint_{std::move(mountpoint)}, mount_id_{mount_id} {}

  UniqueFd device_;
  std::string mountpoint_;  // empty: nothing to unmount
  std::uint64_t mount_id_;
};

}  // namespace hypeman::fs
