#include "collector/instances/host.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.hpp"

namespace hypeman::collector {
namespace {

auto prefix_with(const std::string& root) {
  return [&root](std::error_code error) { return root + ": " + error.message(); };
}

const char* remedy_for(std::error_code error) {
  if (error == std::errc::permission_denied) {
    return "; run this as root";
  }
  return error == std::errc::no_such_file_or_directory
             ? "; name Hypeman's data directory, or create this one"
             : "; name Hypeman's data directory";
}

/// The worker may read below the parent of the data directory (see fs/daemon/worker.cpp). Without
/// such a directory, the path is more likely to be a mistake.
bool has_usable_parent(const std::filesystem::path& data_dir) {
  const auto parent = data_dir.parent_path();
  return parent != parent.root_path() && open_directory(parent);
}

}  // namespace

tl::expected<Host, std::string> Host::open(const Roots& roots,
                                           std::shared_ptr<spdlog::logger> logger) {
  // The process changes its working directory later.
  auto data_dir = std::filesystem::absolute(roots.data_dir).lexically_normal();
  if (!data_dir.has_filename()) {
    data_dir = data_dir.parent_path();  // without the slash at the end
  }
  if (const auto opened = open_directory(data_dir); !opened) {
    const bool is_missing = opened.error() == std::errc::no_such_file_or_directory;
    if (!is_missing || !has_usable_parent(data_dir)) {
      return tl::unexpected{roots.data_dir + ": " + opened.error().message() +
                            remedy_for(opened.error())};
    }
    logger->warn("{}: there is no such directory yet; instances are shown when it exists",
                 roots.data_dir);
  }
  auto procfs = Procfs::open(roots.proc).map_error(prefix_with(roots.proc));
  if (!procfs) {
    return tl::unexpected{procfs.error()};
  }
  auto sys = open_directory(roots.sys).map_error(prefix_with(roots.sys));
  if (!sys) {
    return tl::unexpected{sys.error()};
  }
  return Host{.guests = Guests{data_dir.string()},
              .procfs = *std::move(procfs),
              .sys = *std::move(sys),
              .logger = std::move(logger),
              .descriptors =
                  std::make_unique<DescriptorCache>(DescriptorCache::descriptors_within_limit())};
}

}  // namespace hypeman::collector
