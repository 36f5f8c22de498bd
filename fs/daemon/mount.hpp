#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"

namespace hypeman::fs {

/// Why a file system cannot be mounted, in one line, and the exit status for it.
struct MountError {
  int status;
  std::string message;
};

/// Prepares the mountpoint and returns its canonical path. Creates missing directories. Unmounts
/// what a crashed daemon has left ("Transport endpoint is not connected"). Fails if a FUSE file
/// system is mounted there and still served, or if a mount there would hide `guests`, an absolute
/// path, or anything in it.
[[nodiscard]] tl::expected<std::string, MountError> prepare_mountpoint(const std::string& path,
                                                                       const std::string& guests);

/// A FUSE file system in the mount table, from mount(2) to umount2(2).
class Mount {
 public:
  struct Options {
    std::string source;        ///< the data directory; mount(8) shows it
    std::string mountpoint;    ///< from prepare_mountpoint()
    bool default_permissions;  ///< the kernel checks the modes of the files
  };

  /// Mounts read-only, with nosuid, nodev and noexec.
  [[nodiscard]] static tl::expected<Mount, MountError> create(const Options& options);

  Mount(Mount&& other) noexcept;
  Mount& operator=(Mount&&) = delete;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { unmount(); }

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }

  /// For the worker process: gives up the descriptor of /dev/fuse, from which the worker reads the
  /// kernel's requests. This object no longer unmounts. Reads fail with ENODEV when the file system
  /// is unmounted and all its files are closed.
  [[nodiscard]] UniqueFd release_device();

  /// For the monitor process: closes its copy of the descriptor. The kernel ends the FUSE
  /// connection when the last copy is closed. With a copy here, readers would hang after the worker
  /// has died.
  void close_device() { device_ = {}; }

  /// Whether this process may search all directories in the path of the mountpoint.
  [[nodiscard]] bool is_reachable() const;

  /// Whether it is still mounted, but nobody serves it.
  [[nodiscard]] bool is_dead() const;

  /// Somebody else has unmounted: unmount() does nothing.
  void forget() { mountpoint_.clear(); }

  /// Unmounts, even while readers hold files open. Does nothing if somebody else has unmounted or
  /// has mounted another file system on top.
  void unmount();

 private:
  Mount(UniqueFd device, std::string mountpoint, std::uint64_t mount_id)
      : device_{std::move(device)}, mountpoint_{std::move(mountpoint)}, mount_id_{mount_id} {}

  UniqueFd device_;
  std::string mountpoint_;  // empty: nothing to unmount
  std::uint64_t mount_id_;
};

}  // namespace hypeman::fs
