#include "httpbridge/stats_tree.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <dirent.h>
#include <spdlog/spdlog.h>

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/instance_names.hpp"
#include "base/unique_fd.hpp"
#include "httpbridge/held_descriptors.hpp"

namespace hypeman::httpbridge {
namespace {

/// What went wrong, for the client and for the log.
struct Trouble {
  ReadFailure failure = ReadFailure::failed;
  std::error_code cause;
};

template <typename T>
using Result = tl::expected<T, Trouble>;

constexpr std::size_t max_stats_bytes = std::size_t{64} << 10;
constexpr std::size_t max_metrics_bytes = std::size_t{64} << 20;
constexpr std::size_t first_metrics_chunk = std::size_t{256} << 10;
constexpr std::size_t page_bytes = 4096;

ReadFailure classify(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:  // a symbolic link where the tree has none
    case ENXIO:  // a socket or a device where the tree has a file
    case EXDEV:
    case ESTALE:
      return ReadFailure::not_found;
    case ENOTCONN:      // the FUSE daemon is gone
    case ECONNABORTED:  // it went while it had our request
    case ENODEV:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ReadFailure::unavailable;
    default:
      return ReadFailure::failed;
  }
}

tl::unexpected<Trouble> trouble(int error) {
  return tl::unexpected(Trouble{classify(error), {error, std::generic_category()}});
}

tl::unexpected<Trouble> last_error() {
  return trouble(errno);
}

/// Which file system is seen at a path. Unique as long as a descriptor of the old one is held.
struct Identity {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;
  bool is_mount_root = false;

  bool operator==(const Identity&) const = default;
};

Result<Identity> identity_of(int at, const std::string& path, int flags) {
  struct statx status {};
  // DONT_SYNC: what is mounted here is known to the kernel; asking the daemon would double the cost
  // of a request, and the read that follows tells anyway whether it lives.
  if (::statx(at, path.c_str(), flags | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO | STATX_MNT_ID,
              &status) != 0) {
    return last_error();
  }
  return Identity{status.stx_dev_major, status.stx_dev_minor, status.stx_ino, status.stx_mnt_id,
                  (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

tl::unexpected<Trouble> trouble(std::error_code error) {
  return trouble(error.value());
}

Result<UniqueFd> open_in_tree(int root, const std::string& path, int flags) {
  return hypeman::open_beneath(root, path.c_str(), flags).map_error([](std::error_code error) {
    return trouble(error).value();
  });
}

/// Reads on from `contents` to the end. A read that returns less than it asked for has reached it:
/// so it is for regular files, and by the FUSE protocol for ours.
Result<std::string> read_rest(int fd, std::string contents, std::size_t chunk, std::size_t bound) {
  for (;;) {
    if (contents.size() >= bound) {
      return trouble(EFBIG);
    }
    const std::size_t have = contents.size();
    contents.resize(std::min(have + chunk, bound));
    const auto more = read_at(fd, std::span{contents}.subspan(have), have);
    if (!more) {
      return trouble(more.error());
    }
    const bool at_end = have + more->size() < contents.size();
    contents.resize(have + more->size());
    if (at_end) {
      return contents;
    }
    chunk *= 2;
  }
}

/// A stats.json fits a page: one aligned page is the cheapest read that FUSE has.
Result<std::string> read_stats_json(int fd) {
  alignas(page_bytes) std::array<char, page_bytes> page;  // NOLINT(*-member-init): read fills it
  const auto text = read_at(fd, page, 0);
  if (!text) {
    return trouble(text.error());
  }
  if (text->empty()) {
    return trouble(EAGAIN);  // caught while it is being written
  }
  if (text->size() < page.size()) {
    return std::string{*text};
  }
  return read_rest(fd, std::string{*text}, page_bytes, max_stats_bytes);
}

std::string_view describe(const Resource& resource) {
  return resource.kind == ResourceKind::metrics ? std::string_view{"metrics.prom"}
                                                : std::string_view{resource.instance};
}

}  // namespace

/// One file system found at the stats directory. When another one is found there, a new Mount
/// replaces it, and every descriptor into the old one is closed with its last user.
class StatsTree::Mount {
 public:
  static Result<MountPtr> open(const std::string& directory, std::size_t max_held) {
    UniqueFd root{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!root) {
      return last_error();
    }
    const auto identity = identity_of(root.get(), "", AT_EMPTY_PATH);
    if (!identity) {
      return tl::unexpected(identity.error());
    }
    // Elsewhere a held descriptor shows what the file was when it was opened. And a directory
    // within some other FUSE file system is as elsewhere as any: only a mount's root is ours.
    struct statfs status {};
    const bool fresh = identity->is_mount_root && ::fstatfs(root.get(), &status) == 0 &&
                       status.f_type == FUSE_SUPER_MAGIC;
    return std::make_shared<const Mount>(std::move(root), *identity, fresh ? max_held : 0);
  }

  Mount(UniqueFd root, const Identity& identity, std::size_t max_held)
      : root_(std::move(root)), identity_(identity), holds_(max_held > 0), held_(max_held) {}

  [[nodiscard]] bool is_at(const std::string& directory) const {
    const auto seen = identity_of(AT_FDCWD, directory, 0);
    return seen && *seen == identity_;
  }

  [[nodiscard]] Result<std::string> read(const Resource& resource) const {
    switch (resource.kind) {
      case ResourceKind::instance_stats:
        return read_stats(resource.instance);
      case ResourceKind::metrics:
        return read_metrics();
      case ResourceKind::health:
        return probe();
    }
    return trouble(EINVAL);
  }

  /// Whether this is a stats tree that answers, and not the empty directory it is mounted over.
  [[nodiscard]] Result<std::string> probe() const {
    return open_in_tree(root_.get(), "by-name", O_RDONLY | O_DIRECTORY)
        .and_then([](const UniqueFd&) -> Result<std::string> { return std::string{}; });
  }

 private:
  /// An exact ID, else an exact name, else an ID prefix.
  [[nodiscard]] Result<std::string> read_stats(const std::string& wanted) const {
    auto found = is_instance_id(wanted) ? read_instance(wanted) : not_there();
    if (is_missing(found) && is_instance_name(wanted)) {
      found = id_by_name(wanted).and_then([&](const std::string& id) { return read_instance(id); });
    }
    if (is_missing(found) && is_instance_id_prefix(wanted)) {
      found =
          id_by_prefix(wanted).and_then([&](const std::string& id) { return read_instance(id); });
    }
    return found;
  }

  /// Always a descriptor of its own: it takes several reads, which belong to one sample.
  [[nodiscard]] Result<std::string> read_metrics() const {
    return open_file("metrics.prom").and_then([](const UniqueFd& fd) {
      return read_rest(fd.get(), {}, first_metrics_chunk, max_metrics_bytes);
    });
  }

  static Result<std::string> not_there() { return trouble(ENOENT); }

  static bool is_missing(const Result<std::string>& result) {
    return !result && result.error().failure == ReadFailure::not_found;
  }

  [[nodiscard]] Result<UniqueFd> open_file(const std::string& path) const {
    auto fd = open_in_tree(root_.get(), path, O_RDONLY);
    struct stat status {};
    if (fd && ::fstat(fd->get(), &status) != 0) {
      return last_error();
    }
    if (fd && !S_ISREG(status.st_mode)) {
      return trouble(ENOENT);
    }
    return fd;
  }

  [[nodiscard]] Result<std::string> read_instance(const std::string& id) const {
    if (UniqueFd fd = holds_ ? held_.take(id) : UniqueFd{}) {
      if (auto contents = read_stats_json(fd.get())) {
        held_.give(id, std::move(fd));
        return contents;
      }
      // The instance behind it may be gone or replaced: what a new open finds is what counts.
      held_.drop(id);
    }
    auto fd = open_file(id + "/stats.json");
    if (!fd) {
      return tl::unexpected(fd.error());
    }
    auto contents = read_stats_json(fd->get());
    if (contents && holds_) {
      held_.give(id, *std::move(fd));
    }
    return contents;
  }

  /// by-name/<name> is a link; only its text is used, and only if it is `../<instance ID>`.
  [[nodiscard]] Result<std::string> id_by_name(const std::string& name) const {
    const auto link = open_in_tree(root_.get(), "by-name/" + name, O_PATH);
    if (!link) {
      return tl::unexpected(link.error());
    }
    constexpr std::string_view up = "../";
    std::array<char, 64> text{};
    const ssize_t size = ::readlinkat(link->get(), "", text.data(), text.size());
    if (size < 0) {
      return last_error();  // ENOENT: not a link at all
    }
    const std::string_view target{text.data(), static_cast<std::size_t>(size)};
    if (!target.starts_with(up) || !is_instance_id(target.substr(up.size()))) {
      return not_there();
    }
    return std::string{target.substr(up.size())};
  }

  [[nodiscard]] Result<std::string> id_by_prefix(std::string_view prefix) const {
    std::optional<std::string> match;
    bool ambiguous = false;
    const auto listed =
        for_each_entry(root_.get(), ".", [&](std::string_view name, unsigned char type) {
          const bool directory = type == DT_DIR || type == DT_UNKNOWN;
          if (directory && name.starts_with(prefix) && is_instance_id(name)) {
            ambiguous = match.has_value();
            match = name;
          }
          return !ambiguous;
        });
    if (!listed) {
      return trouble(listed.error());
    }
    if (ambiguous) {
      return tl::unexpected(Trouble{ReadFailure::ambiguous, {}});
    }
    return match ? Result<std::string>{*std::move(match)} : not_there();
  }

  UniqueFd root_;
  Identity identity_;
  bool holds_;
  mutable HeldDescriptors held_;
};

StatsTree::StatsTree(std::string directory, std::size_t max_held)
    : directory_(std::move(directory)), max_held_(max_held) {}

StatsTree::~StatsTree() = default;

tl::expected<std::string, ReadFailure> StatsTree::read(const Resource& resource) {
  const MountPtr mount = current_mount();
  if (!mount) {
    return tl::unexpected(ReadFailure::unavailable);
  }
  auto contents = mount->read(resource);
  if (contents) {
    note_answer();
    return *std::move(contents);
  }
  Trouble trouble = contents.error();
  if (trouble.failure == ReadFailure::not_found) {
    // Nothing is found in the directory below an absent mount either, but that is no 404.
    if (const auto tree = mount->probe(); tree) {
      note_answer();
    } else {
      trouble = {ReadFailure::unavailable, tree.error().cause};
    }
  }
  if (trouble.failure == ReadFailure::unavailable) {
    note_outage(trouble.cause);
  } else if (trouble.failure == ReadFailure::failed) {
    spdlog::error("cannot read {} below {}: {}", describe(resource), directory_,
                  trouble.cause.message());
  }
  return tl::unexpected(trouble.failure);
}

StatsTree::MountPtr StatsTree::current_mount() {
  MountPtr mount;
  {
    const std::lock_guard lock{mutex_};
    mount = mount_;
  }
  if (mount && mount->is_at(directory_)) {
    return mount;
  }
  auto opened = Mount::open(directory_, max_held_);
  if (!opened) {
    note_outage(opened.error().cause);
  }
  const std::lock_guard lock{mutex_};
  mount_ = opened ? *std::move(opened) : nullptr;
  return mount_;
}

void StatsTree::note_answer() {
  if (!answering_.load() && !answering_.exchange(true)) {
    spdlog::info("{} answers again", directory_);
  }
}

void StatsTree::note_outage(std::error_code cause) {
  if (answering_.exchange(false)) {
    spdlog::error("no statistics at {}: {}; is hypeman-statsfs mounted there? Answering 503",
                  directory_, cause.message());
  }
}

}  // namespace hypeman::httpbridge
