#include "httpbridge/mount/mount_reader.hpp"

#include <cerrno>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

namespace hypeman::httpbridge {
namespace {

std::string_view advice(std::error_code cause) {
  switch (cause.value()) {
    case EACCES:
    case EPERM:
      return "add the bridge to the group of the files, with SupplementaryGroups=";
    case ENOTCONN:
    case ECONNABORTED:
      return "the daemon has ended, start hypeman-statsfs again";
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return "raise the limits of the bridge";
    default:
      return "mount hypeman-statsfs there";
  }
}

}  // namespace

MountReader::MountReader(std::string directory, std::size_t max_cached_files)
    : directory_(std::move(directory)), max_cached_files_(max_cached_files) {}

tl::expected<std::string, ReadError> MountReader::read_stats(const std::string& id) {
  return read(id, [&id](const MountedTree& tree) { return tree.read_stats(id); });
}

tl::expected<std::string, ReadError> MountReader::find(const std::string& wanted) {
  return read(wanted, [&wanted](const MountedTree& tree) { return tree.find(wanted); });
}

tl::expected<std::string, ReadError> MountReader::list_ids() {
  return read("the list of instances", [](const MountedTree& tree) { return tree.list_ids(); });
}

tl::expected<std::string, ReadError> MountReader::read_file(const std::string& name) {
  auto contents = read(name, [&name](const MountedTree& tree) { return tree.read_file(name); });
  if (contents) {
    set_present(name);
  } else if (contents.error() == ReadError::not_found) {
    set_missing(name);
    return tl::unexpected(ReadError::unavailable);
  }
  return contents;
}

tl::expected<void, ReadError> MountReader::check() {
  const auto check_tree = [](const MountedTree& tree) {
    return tree.check().map([] { return std::string{}; });
  };
  return read("the directory of names", check_tree).map([](const std::string&) {});
}

tl::expected<std::string, ReadError> MountReader::read(std::string_view what,
                                                       const ReadFunction& read_from) {
  const auto tree = current_tree();
  if (!tree) {
    return outage(tree.error());
  }
  auto contents = read_from(**tree);
  (*tree)->forget_deleted();
  if (contents) {
    log_recovery();
    return *std::move(contents);
  }
  const ReadError error = classify(contents.error());
  if (error == ReadError::unavailable && (*tree)->check()) {
    return tl::unexpected(error);  // only this VM cannot be read now
  }
  if (error == ReadError::unavailable || error == ReadError::no_permission) {
    return outage(contents.error());
  }
  if (error == ReadError::failed) {
    spdlog::error("cannot read {} in {}: {}; look at the log of hypeman-statsfs", what, directory_,
                  contents.error().message());
    return tl::unexpected(error);
  }
  // The directory below an absent mount is empty too, but then the reply must not be 404.
  if (const auto checked = (*tree)->check(); !checked) {
    return outage(checked.error());
  }
  log_recovery();
  return tl::unexpected(error);
}

Result<MountReader::TreePtr> MountReader::current_tree() {
  TreePtr tree;
  {
    const std::lock_guard lock{mutex_};
    tree = tree_;
  }
  if (tree && tree->is_at(directory_)) {
    return tree;
  }
  auto opened = MountedTree::open(directory_, max_cached_files_);
  TreePtr old;  // declared before the lock, so closed after it: close(2) waits for the daemon
  const std::lock_guard lock{mutex_};
  old = std::exchange(tree_, opened.value_or(nullptr));
  return opened;
}

void MountReader::log_recovery() {
  if (outage_.load() != 0 && outage_.exchange(0) != 0) {
    spdlog::info("the statistics at {} are available again", directory_);
  }
}

void MountReader::set_missing(const std::string& name) {
  {
    const std::lock_guard lock{mutex_};
    if (!missing_files_.insert(name).second) {
      return;
    }
  }
  spdlog::error(
      "the statistics at {} have no {}; the daemon is older than the bridge, restart "
      "hypeman-statsfs; the bridge answers 503 for this file",
      directory_, name);
}

void MountReader::set_present(const std::string& name) {
  const std::lock_guard lock{mutex_};
  missing_files_.erase(name);
}

tl::unexpected<ReadError> MountReader::outage(std::error_code cause) {
  if (outage_.exchange(cause.value()) != cause.value()) {
    spdlog::error("cannot read the statistics at {}: {}; {}; the bridge answers 503", directory_,
                  cause.message(), advice(cause));
  }
  return tl::unexpected(classify(cause) == ReadError::no_permission ? ReadError::no_permission
                                                                    : ReadError::unavailable);
}

}  // namespace hypeman::httpbridge
