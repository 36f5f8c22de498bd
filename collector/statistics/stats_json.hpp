#pragma once

#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// What a sample for stats.json must hold.
[[nodiscard]] Sources stats_json_sources();

/// Appends the documented object, pretty-printed as documented, and a newline. A number that could
/// not be measured is 0, as in Hypeman's own answer. Spaces at the end of a line fill up each
/// measured number to the same width, so the size follows from the record alone: stat(2) needs no
/// sample, and what it tells is what a read returns.
void append_stats_json(const Sample& sample, std::string& out);

}  // namespace hypeman::collector
