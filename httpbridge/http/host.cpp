#include "httpbridge/http/host.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include <boost/beast/core/string.hpp>

#include "base/decimal.hpp"

namespace hypeman::httpbridge {

bool is_loopback_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && parse_decimal<std::uint16_t>(host.substr(colon + 1))) {
    host = host.substr(0, colon);
  }
  if (host == "[::1]" || boost::beast::iequals({host.data(), host.size()}, "localhost")) {
    return true;
  }
  constexpr std::uint32_t loopback_network = 127;
  in_addr address{};
  return ::inet_pton(AF_INET, std::string{host}.c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == loopback_network;
}

}  // namespace hypeman::httpbridge
