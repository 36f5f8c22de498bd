#pragma once

#include <memory>
#include <string>

#include <spdlog/logger.h>
#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "collector/hypeman/guests.hpp"
#include "collector/hypeman/metadata_file.hpp"
#include "collector/kernel/descriptor_cache.hpp"
#include "collector/kernel/procfs.hpp"

namespace hypeman::collector {

/// The directories below which all files are read. Tests use other directories.
struct Roots {
  std::string data_dir = "/var/lib/hypeman";
  std::string proc = "/proc";
  std::string sys = "/sys";
};

/// The opened roots, and the objects that all instances share. Thread-safe. It outlives the
/// instances that refer to it.
struct Host {
  Guests guests;
  Procfs procfs;
  UniqueFd sys;
  std::shared_ptr<spdlog::logger> logger;
  std::unique_ptr<DescriptorCache> descriptors;
  SecondsClock clock = seconds_now;

  /// The error is one line that names the root and the problem. If only the last component
  /// of the data directory's path does not exist, this logs a line: Hypeman may be installed later.
  [[nodiscard]] static tl::expected<Host, std::string> open(const Roots& roots,
                                                            std::shared_ptr<spdlog::logger> logger);
};

}  // namespace hypeman::collector
