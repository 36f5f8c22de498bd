#include "httpbridge/listen/listen_address.hpp"

#include <sys/un.h>

#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

#include "base/decimal.hpp"

namespace hypeman::httpbridge {
namespace {

constexpr std::size_t max_unix_path = sizeof(sockaddr_un::sun_path) - 1;

tl::unexpected<std::string> invalid(std::string_view text, std::string_view why) {
  return tl::unexpected(fmt::format("'{}' {}; use host:port, [v6]:port or unix:/path", text, why));
}

}  // namespace

tl::expected<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    if (!path.starts_with('/')) {
      return invalid(text, "does not name an absolute path");
    }
    if (path.size() > max_unix_path) {
      return invalid(text,
                     fmt::format("is longer than a socket path may be ({} bytes)", max_unix_path));
    }
    return UnixAddress{std::string{path}};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return invalid(text, "has no port");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!parse_decimal<std::uint16_t>(port)) {
    return invalid(text, "has a port that is not a number from 0 to 65535");
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid(text, "has an IPv6 address without brackets");
  }
  if (host.empty()) {
    return invalid(text, "has no host; 0.0.0.0 and [::] stand for all addresses");
  }
  return TcpAddress{std::string{host}, std::string{port}};
}

}  // namespace hypeman::httpbridge
