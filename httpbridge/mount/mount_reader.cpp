#include "httpbridge/mount/mount_reader.hpp"

#include <utility>

#include <spdlog/spdlog.h>

namespace hypeman::httpbridge {

MountReader::MountReader(std::string directory, std::size_t max_cached_files)
    : directory_(std::move(directory)), max_cached_files_(max_cached_files) {}

tl::expected<std::string, ReadError> MountReader::read_stats(const std::string& wanted) {
  return read(wanted, [&wanted](const MountedTree& tree) { return tree.read_stats(wanted); });
}

tl::expected<std::string, ReadError> MountReader::read_metrics() {
  return read("metrics.prom", [](const MountedTree& tree) { return tree.read_metrics(); });
}

tl::expected<void, ReadError> MountReader::check() {
  const auto check_tree = [](const MountedTree& tree) {
    return tree.check().map([] { return std::string{}; });
  };
  return read("by-name", check_tree).map([](const std::string&) {});
}

tl::expected<std::string, ReadError> MountReader::read(std::string_view what,
                                                       const ReadFunction& read_from) {
  const TreePtr tree = current_tree();
  if (!tree) {
    return tl::unexpected(ReadError::unavailable);
  }
  auto contents = read_from(*tree);
  if (contents) {
    log_recovery();
    return *std::move(contents);
  }
  std::error_code cause = contents.error();
  ReadError error = classify(cause);
  if (error == ReadError::not_found) {
    // The directory below an absent mount is empty too, but then the reply must not be 404.
    if (const auto checked = tree->check()) {
      log_recovery();
    } else {
      error = ReadError::unavailable;
      cause = checked.error();
    }
  }
  if (error == ReadError::unavailable) {
    log_outage(cause);
  } else if (error == ReadError::failed) {
    spdlog::error("cannot read {} in {}: {}", what, directory_, cause.message());
  }
  return tl::unexpected(error);
}

MountReader::TreePtr MountReader::current_tree() {
  TreePtr tree;
  {
    const std::lock_guard lock{mutex_};
    tree = tree_;
  }
  if (tree && tree->is_at(directory_)) {
    return tree;
  }
  auto opened = MountedTree::open(directory_, max_cached_files_);
  if (!opened) {
    log_outage(opened.error());
  }
  const std::lock_guard lock{mutex_};
  tree_ = opened ? *std::move(opened) : nullptr;
  return tree_;
}

void MountReader::log_recovery() {
  if (!is_available_.load() && !is_available_.exchange(true)) {
    spdlog::info("the statistics at {} are available again", directory_);
  }
}

void MountReader::log_outage(std::error_code cause) {
  if (is_available_.exchange(false)) {
    spdlog::error(
        "no statistics at {}: {}; is hypeman-statsfs mounted there? The bridge answers 503",
        directory_, cause.message());
  }
}

}  // namespace hypeman::httpbridge
