#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "collector/hypeman/metadata.hpp"

namespace hypeman::fs {

/// What a file held at one moment.
struct Content {
  std::string text;
  std::chrono::system_clock::time_point time;                ///< of the sample
  std::shared_ptr<const collector::Metadata> metadata = {};  ///< of the one instance it tells of
};

/// Samples and renders a file now, in the place of what the content held before. ENOENT: what the
/// file tells of is not there any more; anything else: it is there, but cannot be measured.
using ContentSource = std::function<Result<void>(Content&)>;

}  // namespace hypeman::fs
