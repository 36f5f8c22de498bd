#include "httpbridge/mount/mounted_tree.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fmt/format.h>

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/instance_names.hpp"
#include "httpbridge/mount/read_error.hpp"

namespace hypeman::httpbridge {
namespace {

constexpr const char* names_directory = "by-name";
constexpr std::string_view stats_file = "stats.json";

constexpr std::size_t max_stats_bytes = std::size_t{64} << 10;
constexpr std::size_t max_file_bytes = std::size_t{64} << 20;
constexpr std::size_t first_chunk = std::size_t{256} << 10;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t max_listed_ids = 1'000'000;
constexpr unsigned reads_per_check = 8;

std::string stats_path(const std::string& id) {
  return fmt::format("{}/{}", id, stats_file);
}

bool is_missing(const Result<std::string>& result) {
  return !result && classify(result.error()) == ReadError::not_found;
}

/// Appends the rest of a file to `contents`. A read that returns less than requested has reached
/// the end: regular files and the FUSE protocol guarantee this.
Result<std::string> read_rest(int fd, std::string contents, std::size_t chunk, std::size_t bound) {
  for (;;) {
    if (contents.size() >= bound) {
      return failure(EFBIG);
    }
    const std::size_t have = contents.size();
    contents.resize(std::min(have + chunk, bound));
    const auto more = read_at(fd, std::span{contents}.subspan(have), have);
    if (!more) {
      return tl::unexpected(more.error());
    }
    const bool at_end = have + more->size() < contents.size();
    contents.resize(have + more->size());
    if (at_end) {
      return contents;
    }
    chunk *= 2;
  }
}

/// A stats.json usually fits into one page. One aligned page is the cheapest read of a FUSE file.
Result<std::string> read_stats_json(int fd) {
  alignas(page_bytes) std::array<char, page_bytes> page;  // NOLINT(*-member-init): read fills it
  const auto text = read_at(fd, page, 0);
  if (!text) {
    return tl::unexpected(text.error());
  }
  if (text->empty()) {
    return failure(EAGAIN);  // another process is writing the file
  }
  if (text->size() < page.size()) {
    return std::string{*text};
  }
  return read_rest(fd, std::string{*text}, page_bytes, max_stats_bytes);
}

}  // namespace

Result<std::shared_ptr<const MountedTree>> MountedTree::open(const std::string& directory,
                                                             std::size_t max_cached_files) {
  UniqueFd root{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root) {
    return last_failure();
  }
  const auto identity = identify(root.get(), "", AT_EMPTY_PATH);
  if (!identity) {
    return tl::unexpected(identity.error());
  }
  // Only the root of a FUSE mount gets a cache. Another directory may belong to another FUSE file
  // system.
  struct statfs status {};
  const bool is_fuse_mount = identity->is_mount_root && ::fstatfs(root.get(), &status) == 0 &&
                             status.f_type == FUSE_SUPER_MAGIC;
  const std::size_t capacity = is_fuse_mount ? max_cached_files : 0;
  return std::make_shared<const MountedTree>(std::move(root), *identity, capacity);
}

bool MountedTree::is_at(const std::string& directory) const {
  const auto seen = identify(AT_FDCWD, directory, 0);
  return seen && *seen == identity_;
}

Result<void> MountedTree::check() const {
  return open_beneath(root_.get(), names_directory, O_RDONLY | O_DIRECTORY)
      .map([](const UniqueFd&) {});
}

Result<std::string> MountedTree::read_stats(const std::string& id) const {
  if (UniqueFd fd = cache_.take(id)) {
    if (auto contents = read_stats_json(fd.get())) {
      cache_.put(id, std::move(fd));
      return contents;
    }
    // The instance may have been deleted or replaced. Only a new open shows that.
    cache_.erase(id);
  }
  auto fd = open_file(stats_path(id));
  if (!fd) {
    return tl::unexpected(fd.error());
  }
  auto contents = read_stats_json(fd->get());
  if (contents) {
    cache_.put(id, *std::move(fd));
  }
  return contents;
}

void MountedTree::forget_deleted() const {
  if (reads_.fetch_add(1) % reads_per_check != 0) {
    return;
  }
  auto oldest = cache_.take_oldest();
  if (!oldest.fd) {
    return;
  }
  // The daemon answers this without a measurement, so it does not wait for a VM that hangs.
  if (open_directory_at(root_.get(), oldest.id.c_str())) {
    cache_.put(oldest.id, std::move(oldest.fd));
  } else {
    cache_.erase(oldest.id);
  }
}

Result<std::string> MountedTree::find(const std::string& wanted) const {
  Result<std::string> found = failure(ENOENT);
  if (is_instance_id(wanted)) {
    found = open_file(stats_path(wanted)).map([&](const UniqueFd&) { return wanted; });
  }
  if (is_missing(found) && is_instance_name(wanted)) {
    found = find_by_name(wanted);
  }
  return found;
}

Result<std::string> MountedTree::list_ids() const {
  std::vector<std::string> ids;
  const auto listed =
      for_each_entry(root_.get(), ".", [&](std::string_view name, unsigned char type) {
        if ((type == DT_DIR || type == DT_UNKNOWN) && is_instance_id(name)) {
          ids.emplace_back(name);
        }
        return ids.size() <= max_listed_ids;
      });
  if (!listed) {
    return tl::unexpected(listed.error());
  }
  if (ids.size() > max_listed_ids) {
    return failure(EFBIG);
  }
  std::sort(ids.begin(), ids.end());
  std::string lines;
  for (const std::string& id : ids) {
    lines.append(id).push_back('\n');
  }
  return lines;
}

// Does not use the cache: it takes several reads, which must belong to one sample.
Result<std::string> MountedTree::read_file(const std::string& name) const {
  return open_file(name).and_then(
      [](const UniqueFd& fd) { return read_rest(fd.get(), {}, first_chunk, max_file_bytes); });
}

Result<MountedTree::Identity> MountedTree::identify(int directory, const std::string& path,
                                                    int flags) {
  struct statx status {};
  // DONT_SYNC: the kernel knows the identity. A request to the daemon would double the cost, and
  // the read that follows shows whether the daemon answers.
  if (::statx(directory, path.c_str(), flags | AT_STATX_DONT_SYNC,
              STATX_TYPE | STATX_INO | STATX_MNT_ID, &status) != 0) {
    return last_failure();
  }
  return Identity{status.stx_dev_major, status.stx_dev_minor, status.stx_ino, status.stx_mnt_id,
                  (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Result<UniqueFd> MountedTree::open_file(const std::string& path) const {
  auto fd = open_beneath(root_.get(), path.c_str());
  struct statx status {};
  // DONT_SYNC: the type of a file does not change, and to answer a stat of a whole-host file, the
  // daemon may have to list all instances.
  if (fd && ::statx(fd->get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0) {
    return last_failure();
  }
  if (fd && !S_ISREG(status.stx_mode)) {
    return failure(ENOENT);
  }
  return fd;
}

/// Uses only the text of the link by-name/<name>, and only if it is `../<instance ID>`.
Result<std::string> MountedTree::find_by_name(const std::string& name) const {
  const auto link =
      open_beneath(root_.get(), fmt::format("{}/{}", names_directory, name).c_str(), O_PATH);
  if (!link) {
    return tl::unexpected(link.error());
  }
  constexpr std::string_view parent = "../";
  std::array<char, 64> text{};
  const ssize_t size = ::readlinkat(link->get(), "", text.data(), text.size());
  if (size < 0) {
    return last_failure();  // ENOENT: not a symbolic link
  }
  const std::string_view target{text.data(), static_cast<std::size_t>(size)};
  if (!target.starts_with(parent) || !is_instance_id(target.substr(parent.size()))) {
    return failure(ENOENT);
  }
  return std::string{target.substr(parent.size())};
}

}  // namespace hypeman::httpbridge
