#pragma once

#include <functional>
#include <string_view>

#include "base/result.hpp"

namespace hypeman {

/// Calls `visit` for each entry of the directory at `path` below `directory` except "." and "..".
/// The order is arbitrary. Stops when `visit` returns false. `type` is the entry's d_type
/// (readdir(3)). `name` is valid during the call only.
[[nodiscard]] Result<void> for_each_entry(
    int directory, const char* path,
    const std::function<bool(std::string_view name, unsigned char type)>& visit);

}  // namespace hypeman
