#pragma once

#include <span>
#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The sources that the samples for metrics.prom must hold.
[[nodiscard]] Sources prometheus_sources();

/// Appends the samples of running VMs, and the number of these VMs, in Prometheus's text exposition
/// format 0.0.4. The metrics have the same names as Hypeman's own. A number that could not be
/// measured is left out: a 0 would look like a counter that was reset.
void append_prometheus_text(std::span<const Sample> samples, std::string& out);

}  // namespace hypeman::collector
