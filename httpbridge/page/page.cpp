#include "httpbridge/page/page.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "httpbridge/page/embedded_files.hpp"

namespace hypeman::httpbridge {

Page::Page(const std::string& stats_dir) {
  for (const EmbeddedFile& file : embedded_files()) {
    // A browser keeps the file and asks each time whether it is still current, so the parts of the
    // page always belong to the same version.
    files_.push_back({file.path, file.content_type,
                      fmt::format("Cache-Control: no-cache\r\nETag: {}\r\n", file.entity_tag),
                      std::string{file.entity_tag},
                      std::make_shared<const std::string>(file.contents)});
  }
  using Json = nlohmann::json;
  const Json place{{"stats_dir", stats_dir}};
  files_.push_back({"/page/place.json", "application/json", "Cache-Control: no-store\r\n", "",
                    std::make_shared<const std::string>(
                        place.dump(-1, ' ', false, Json::error_handler_t::replace)),
                    /*needs_key=*/true});
}

const PageFile* Page::find(std::string_view path) const {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [path](const PageFile& file) { return file.path == path; });
  return found == files_.end() ? nullptr : &*found;
}

}  // namespace hypeman::httpbridge
