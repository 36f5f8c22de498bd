#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "collector/instances/found_instance.hpp"
#include "collector/instances/sample.hpp"

namespace hypeman::collector {

/// The sources that the samples for summary must hold.
[[nodiscard]] Sources summary_sources();

/// The size of the text for these instances. It depends only on their records, so that stat(2) can
/// tell it without a measurement.
[[nodiscard]] std::size_t summary_size(std::span<const FoundInstance> instances);

/// A table for people: a heading, one line for each instance with those that run first, and a line
/// with totals. Sizes are in powers of 1024. What cannot be read is "-". A character of a name that
/// is not printable ASCII is shown as "?", as `ls -q` does. If stat(2) has told a larger `size`
/// than the text has, spaces before the last newline fill it up.
[[nodiscard]] std::string summary(std::span<const Sample> samples, std::size_t size);

}  // namespace hypeman::collector
