#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "httpbridge/http/reply.hpp"

namespace hypeman::httpbridge {

/// A file of the page that a browser shows.
struct PageFile {
  std::string_view path;
  std::string_view content_type;
  std::string caching;  ///< whole header lines
  std::string entity_tag;
  Body body;
  bool needs_key = false;
};

/// The page that shows the statistics in a browser. Its files are a part of the program.
class Page {
 public:
  /// A page without files: every path is unknown.
  Page() = default;

  /// `stats_dir` is the directory that the page names in the paths of files.
  explicit Page(const std::string& stats_dir);

  /// The file with this path, or nullptr. The path must be written exactly like this.
  [[nodiscard]] const PageFile* find(std::string_view path) const;

 private:
  std::vector<PageFile> files_;
};

}  // namespace hypeman::httpbridge
