#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "httpbridge/http/route.hpp"

namespace hypeman::httpbridge {

/// A file at the top of the mounted tree that has the statistics of all instances.
struct WholeHostFile {
  RouteKind kind;
  std::string_view route;  ///< the path without its slash
  std::string_view name;
  std::string_view content_type;
};

inline constexpr std::array whole_host_files{
    WholeHostFile{RouteKind::all_stats, "stats", "instances.json", "application/json"},
    WholeHostFile{RouteKind::metrics, "metrics", "metrics.prom",
                  "text/plain; version=0.0.4; charset=utf-8"},
};

/// The file that this kind of route serves, or nullptr.
[[nodiscard]] constexpr const WholeHostFile* whole_host_file(RouteKind kind) {
  const auto* const found =
      std::find_if(whole_host_files.begin(), whole_host_files.end(),
                   [kind](const WholeHostFile& file) { return file.kind == kind; });
  return found == whole_host_files.end() ? nullptr : found;
}

}  // namespace hypeman::httpbridge
