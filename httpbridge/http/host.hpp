#pragma once

#include <string_view>

namespace hypeman::httpbridge {

/// Whether the value of a Host header is `localhost`, an address in 127.0.0.0/8 or `[::1]`, with or
/// without a port.
[[nodiscard]] bool is_loopback_host(std::string_view host);

}  // namespace hypeman::httpbridge
