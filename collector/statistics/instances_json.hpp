#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "collector/instances/found_instance.hpp"
#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The sources that the samples for instances.json must hold.
[[nodiscard]] Sources instances_json_sources();

/// The size of the text for these instances. It depends only on their records, so that stat(2) can
/// tell it without a measurement.
[[nodiscard]] std::size_t instances_json_size(std::span<const FoundInstance> instances);

/// {"instances": {"<id>": {<statistic>: <value>, …, "vcpus": {"<n>": {…}}}, …}}, with one line for
/// each instance. A statistic that an instance does not have, or that cannot be read, is left out.
/// Spaces before the last newline fill the text up to `size`, which must not be less than
/// instances_json_size() of the instances.
[[nodiscard]] std::string instances_json(std::span<const Sample> samples, std::size_t size);

}  // namespace hypeman::collector
