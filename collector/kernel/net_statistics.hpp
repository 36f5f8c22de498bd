#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// A counter of /sys/class/net/<interface>/statistics: one decimal number and a newline.
/// EBADMSG if the text is anything else.
[[nodiscard]] Result<std::uint64_t> parse_net_statistic(std::string_view text);

/// One snapshot through a descriptor of such a file. ENODEV once the interface is gone, also when
/// another one of the same name has taken its place.
[[nodiscard]] Result<std::uint64_t> read_net_statistic(int fd);

}  // namespace hypeman::collector
