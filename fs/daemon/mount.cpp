#include "fs/daemon/mount.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <sysexits.h>

namespace hypeman::fs {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

bool is_forbidden(int error) {
  return error == EACCES || error == EPERM;
}

tl::unexpected<MountError> failure(int error, const std::string& what, const std::string& remedy) {
  const bool forbidden = is_forbidden(error);
  const bool needs_root = forbidden && ::geteuid() != 0;
  return tl::unexpected{MountError{
      .status = forbidden ? EX_NOPERM : EX_OSERR,
      .message = what + ": " + reason(error) +
                 (needs_root ? "; only root can mount: run hypeman-statsfs as root" : remedy)}};
}

tl::unexpected<MountError> unusable(const std::string& mountpoint, std::string problem) {
  return tl::unexpected{
      MountError{.status = EX_UNAVAILABLE, .message = problem.insert(0, mountpoint + ": ")}};
}

/// The ID of the mount that contains `path`. Sends no request to the file system. Before Linux 6.8,
/// the kernel uses the ID again after an unmount.
std::optional<std::uint64_t> mount_id_of(const std::string& path) {
  constexpr unsigned statx_mnt_id_unique = 0x4000;  // STATX_MNT_ID_UNIQUE of newer headers
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
              STATX_MNT_ID | statx_mnt_id_unique, &status) != 0) {
    return std::nullopt;
  }
  return status.stx_mnt_id;
}

bool is_mountpoint(const std::string& path) {
  return mount_id_of(path) != mount_id_of(std::filesystem::path{path}.parent_path());
}

/// Whether the kernel answers with this error because the daemon of a FUSE mount has ended, or ends
/// at the moment. ECANCELED comes from io_uring.
bool is_end_of_daemon(int error) {
  return error == ENOTCONN || error == ECONNABORTED || error == ECANCELED;
}

bool is_stale(const std::string& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) != 0 && is_end_of_daemon(errno);
}

/// More are not on top of each other, unless something goes wrong again and again.
constexpr int max_stale_mounts = 100;

bool is_within(const std::filesystem::path& directory, const std::filesystem::path& path) {
  return std::ranges::mismatch(directory, path).in1 == directory.end();
}

/// The canonical path of a directory that may be created later.
std::filesystem::path canonical_although_missing(const std::string& path, std::error_code& error) {
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) {
    return {};
  }
  const auto canonical = std::filesystem::weakly_canonical(absolute, error);
  return canonical.has_filename() ? canonical : canonical.parent_path();  // no slash at the end
}

/// Whether the daemon would have to ask itself when it opens `guests`, or an instance in it. Such a
/// request is never answered.
bool would_hide(const std::filesystem::path& mountpoint, const std::filesystem::path& guests) {
  std::error_code error;
  const auto followed = std::filesystem::weakly_canonical(guests, error);
  return is_within(mountpoint, guests) ||
         (!error && (is_within(mountpoint, followed) || is_within(followed, mountpoint)));
}

}  // namespace

tl::expected<std::string, MountError> prepare_mountpoint(const std::string& path,
                                                         const std::string& guests) {
  std::error_code error;
  std::filesystem::path absolute;
  for (int round = 0; round < max_stale_mounts; ++round) {
    if (is_stale(path)) {
      if (::umount2(path.c_str(), MNT_DETACH) != 0) {
        return unusable(path, "cannot remove the mount of a crashed daemon: " + reason(errno) +
                                  "; remove it as root with umount -l");
      }
      continue;
    }
    absolute = canonical_although_missing(path, error);
    if (!error && would_hide(absolute, guests)) {
      return unusable(path, "not usable as a mountpoint: it would hide " + guests +
                                ", which the daemon reads; choose another directory");
    }
    if (!error) {
      std::filesystem::create_directories(absolute, error);
    }
    // A daemon that was killed may have answered the first call, and end during the next one.
    if (!is_end_of_daemon(error.value())) {
      break;
    }
  }
  if (is_forbidden(error.value())) {
    return failure(error.value(), path + ": not usable as a mountpoint",
                   "; choose another directory");
  }
  if (error) {
    return unusable(path, "not usable as a mountpoint: " + error.message());
  }
  if (!std::filesystem::is_directory(absolute, error)) {
    return unusable(path, "not usable as a mountpoint: not a directory");
  }
  struct statfs status {};
  if (::statfs(absolute.c_str(), &status) == 0 && status.f_type == FUSE_SUPER_MAGIC &&
      is_mountpoint(absolute)) {
    return unusable(path,
                    "a FUSE file system is already mounted here; to replace it, unmount it "
                    "first: umount --lazy " +
                        path);
  }
  return absolute.string();
}

tl::expected<Mount, MountError> Mount::create(const Options& options) {
  UniqueFd device{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
  if (!device) {
    const int error = errno;
    return failure(error, "/dev/fuse", "; load the kernel module: modprobe fuse");
  }
  auto data =
      "fd=" + std::to_string(device.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  if (options.default_permissions) {
    data += ",default_permissions";
  }
  if (::mount(options.source.c_str(), options.mountpoint.c_str(), "fuse.hypeman-statsfs",
              MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, data.c_str()) != 0) {
    const int error = errno;
    return failure(error, options.mountpoint + ": cannot mount",
                   error == EPERM ? "; it needs the capability CAP_SYS_ADMIN" : "");
  }
  return Mount{std::move(device), options.mountpoint, mount_id_of(options.mountpoint).value_or(0)};
}

Mount::Mount(Mount&& other) noexcept
    : device_{std::move(other.device_)},
      mountpoint_{std::exchange(other.mountpoint_, {})},
      mount_id_{other.mount_id_} {}

UniqueFd Mount::release_device() {
  mountpoint_.clear();
  return std::move(device_);
}

bool Mount::is_reachable() const {
  return mount_id_of(mountpoint_) == mount_id_;
}

bool Mount::is_dead() const {
  return mount_id_of(mountpoint_) == mount_id_ && is_stale(mountpoint_);
}

void Mount::unmount() {
  const auto mountpoint = std::exchange(mountpoint_, {});
  if (mountpoint.empty() || mount_id_of(mountpoint) != mount_id_) {
    return;
  }
  // EBUSY: a reader holds a file open. A lazy unmount then hides the file system from all other
  // processes. The reader can use its open files until the worker ends.
  if (::umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW) != 0) {
    ::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

}  // namespace hypeman::fs
