#include "collector/instances/host.hpp"

#include <system_error>
#include <utility>

#include "base/file.hpp"

namespace hypeman::collector {
namespace {

auto prefix_with(const std::string& root) {
  return [&root](std::error_code error) { return root + ": " + error.message(); };
}

}  // namespace

tl::expected<Host, std::string> Host::open(const Roots& roots,
                                           std::shared_ptr<spdlog::logger> logger) {
  auto data_dir = open_directory(roots.data_dir).map_error(prefix_with(roots.data_dir));
  if (!data_dir) {
    return tl::unexpected{data_dir.error()};
  }
  auto procfs = Procfs::open(roots.proc).map_error(prefix_with(roots.proc));
  if (!procfs) {
    return tl::unexpected{procfs.error()};
  }
  auto sys = open_directory(roots.sys).map_error(prefix_with(roots.sys));
  if (!sys) {
    return tl::unexpected{sys.error()};
  }
  return Host{
      .data_dir = *std::move(data_dir),
      .procfs = *std::move(procfs),
      .sys = *std::move(sys),
      .logger = std::move(logger),
      .descriptors = std::make_unique<DescriptorCache>(DescriptorCache::vms_within_limit())};
}

}  // namespace hypeman::collector
