#pragma once

#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The sources that a sample for stats.json must hold.
[[nodiscard]] Sources stats_json_sources();

/// Appends the object that Hypeman's API documents, with the same line breaks, and a newline. A
/// number that could not be measured is 0, as in Hypeman. Spaces at the end of a line pad each
/// measured number to a fixed width. So the size depends only on the record: stat(2) needs no
/// sample, and a read always returns as many bytes as stat(2) shows.
void append_stats_json(const Sample& sample, std::string& out);

}  // namespace hypeman::collector
