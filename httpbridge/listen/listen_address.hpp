#pragma once

#include <string>
#include <string_view>
#include <variant>

#include <tl/expected.hpp>

namespace hypeman::httpbridge {

struct TcpAddress {
  std::string host;  ///< a name or an address, without brackets
  std::string port;  ///< decimal, 0 to 65535; the kernel chooses a port for 0

  [[nodiscard]] bool operator==(const TcpAddress&) const = default;
};

struct UnixAddress {
  std::string path;

  [[nodiscard]] bool operator==(const UnixAddress&) const = default;
};

using ListenAddress = std::variant<TcpAddress, UnixAddress>;

/// Parses `host:port`, `[v6]:port` or `unix:/path`. The error says what is wrong with `text`.
[[nodiscard]] tl::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);

}  // namespace hypeman::httpbridge
