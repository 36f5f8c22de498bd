#pragma once

#include <span>
#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// Appends the samples of the instances that run in Prometheus's text exposition format 0.0.4,
/// under the names that Hypeman itself exports them by, and how many instances that are. What could
/// not be measured is left out: a 0 would be taken for a counter that has started anew.
void append_prometheus_text(std::span<const Sample> samples, std::string& out);

}  // namespace hypeman::collector
