#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "collector/instances/found_instance.hpp"
#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The sources that the samples for metrics.prom must hold.
[[nodiscard]] Sources prometheus_sources();

/// The size of the text for these instances. It depends only on their records, so that stat(2) can
/// tell it without a measurement.
[[nodiscard]] std::size_t prometheus_text_size(std::span<const FoundInstance> instances);

/// Writes the samples, and the number of VMs that run, in Prometheus's text exposition format
/// 0.0.4. The metrics that Hypeman has too have the same names. A number that could not be measured
/// is left out: a 0 would look like a counter that was reset. Comment lines at the end fill the
/// text up to `size`, which must not be less than prometheus_text_size() of the instances.
[[nodiscard]] std::string prometheus_text(std::span<const Sample> samples, std::size_t size);

}  // namespace hypeman::collector
