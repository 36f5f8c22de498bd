#pragma once

#include <functional>
#include <string_view>

#include "collector/result.hpp"

namespace hypeman::collector {

/// Calls `visit` with the name and the d_type of each entry of a directory below `directory`,
/// without "." and "..", in no order. The name is valid during the call only.
[[nodiscard]] Result<void> for_each_entry(
    int directory, const char* path,
    const std::function<void(std::string_view name, unsigned char type)>& visit);

}  // namespace hypeman::collector
