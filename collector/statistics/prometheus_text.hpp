#pragma once

#include <span>
#include <string>

#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// What the samples for metrics.prom must hold.
[[nodiscard]] Sources prometheus_sources();

/// Appends the samples of running VMs in Prometheus's text exposition format 0.0.4, under the names
/// that Hypeman itself uses, and the number of these VMs. A number that could not be measured is
/// left out: a 0 would look like a counter that was reset.
void append_prometheus_text(std::span<const Sample> samples, std::string& out);

}  // namespace hypeman::collector
