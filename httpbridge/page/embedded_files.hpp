#pragma once

#include <span>
#include <string_view>

namespace hypeman::httpbridge {

/// A file of this directory. All texts are string literals.
struct EmbeddedFile {
  std::string_view path;  ///< of its URL
  std::string_view content_type;
  std::string_view entity_tag;  ///< changes with the contents
  std::string_view contents;
};

[[nodiscard]] std::span<const EmbeddedFile> embedded_files();

}  // namespace hypeman::httpbridge
