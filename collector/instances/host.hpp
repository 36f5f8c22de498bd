#pragma once

#include <memory>
#include <string>

#include <spdlog/logger.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/descriptor_budget.hpp"
#include "collector/kernel/procfs.hpp"

namespace hypeman::collector {

/// Where a host keeps what we read. Tests point them elsewhere.
struct Roots {
  std::string data_dir = "/var/lib/hypeman";
  std::string proc = "/proc";
  std::string sys = "/sys";
};

/// The opened roots, and what all instances share. Thread-safe; it outlives all instances that
/// refer to it.
struct Host {
  UniqueFd data_dir;
  Procfs procfs;
  UniqueFd sys;
  std::shared_ptr<spdlog::logger> logger;
  std::unique_ptr<DescriptorBudget> budget;

  /// The error is one line that names the root and says what is wrong with it.
  [[nodiscard]] static tl::expected<Host, std::string> open(const Roots& roots,
                                                            std::shared_ptr<spdlog::logger> logger);
};

}  // namespace hypeman::collector
