#pragma once

#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// Appends the documented object, pretty-printed as documented, and a newline. What could not be
/// measured is 0, as in Hypeman's own answer.
void append_stats_json(const Sample& sample, std::string& out);

}  // namespace hypeman::collector
