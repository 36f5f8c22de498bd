#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "collector/instances/found_instance.hpp"
#include "collector/instances/sample.hpp"
#include "fs/tree/own_metrics.hpp"

namespace hypeman::fs {

/// A file in the root directory that shows all instances.
struct HostFile {
  std::string_view name;

  /// The sources that the samples for text() must hold.
  collector::Sources (*sources)();

  /// The size of the text for these instances, which depends only on their records.
  std::size_t (*size)(std::span<const collector::FoundInstance> instances);

  /// The text, filled up to `size`.
  std::string (*text)(std::span<const collector::Sample> samples, std::size_t size,
                      const OwnMetrics& own);
};

inline constexpr std::size_t host_file_count = 3;

/// In the order of a directory listing.
[[nodiscard]] std::span<const HostFile, host_file_count> host_files();

}  // namespace hypeman::fs
