#pragma once

#include <string>

#include "collector/statistics/value.hpp"

namespace hypeman::collector {

/// Appends a value as JSON: a number, or a string.
void append_json(const Value& value, std::string& out);

}  // namespace hypeman::collector
