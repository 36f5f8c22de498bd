// libFuzzer target for the code that handles a client's bytes before a file is opened: the HTTP
// parser, the route and the token.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/instance_names.hpp"
#include "base/logging.hpp"
#include "httpbridge/auth/jwt.hpp"
#include "httpbridge/http/host.hpp"
#include "httpbridge/http/request.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/page/page.hpp"

namespace {

using namespace hypeman::httpbridge;
namespace http = boost::beast::http;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

std::string_view to_std(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// Checks the properties of every request.
void check_routing(const RequestHead& request) {
  static const auto authorizer =
      std::make_shared<const Authorizer>(Keys{{"a secret"}, {"a-token", "another"}});
  const auto now = std::chrono::system_clock::time_point{std::chrono::seconds{1'800'000'000}};
  CachedAuthorization cache;
  static const Page page{"/run/hypeman/stats"};
  const auto route = route_request(request, page, cache, authorizer, now);
  // The same request must get the same result from the cache.
  require(route_request(request, page, cache, authorizer, now).has_value() == route.has_value());

  if (route) {
    require(route->kind == RouteKind::health || request.authorization.has_value());
    require(route->kind != RouteKind::instance_stats ||
            hypeman::is_instance_name(route->instance) ||
            hypeman::is_instance_id_prefix(route->instance));
    return;
  }
  std::string header;
  write_header(route.error(), {false, true, "now"}, header);
  require(header.ends_with("\r\n\r\n"));
  const auto* const file = page.find(path_of(request.target));
  require(route.error().status >= 400 ||
          (file != nullptr && (!file->needs_key || request.authorization.has_value())));
}

void check_printable(std::string_view text) {
  for (const char c : hypeman::printable(text)) {
    require(c > ' ' && c <= '~');
  }
}

void check_host(std::string_view host) {
  require(!is_loopback_host(host) || host.find_first_of("/@ ") == std::string_view::npos);
}

void parse_as_http(std::string_view bytes) {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(4096);
  parser.body_limit(256);
  boost::beast::error_code error;
  while (!parser.is_done() && !error && !bytes.empty()) {
    bytes.remove_prefix(parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error));
  }
  if (!parser.is_done()) {
    return;
  }
  const auto& request = parser.get();
  std::optional<std::string_view> authorization;
  if (request.count(http::field::authorization) > 0) {
    authorization = to_std(request[http::field::authorization]);
  }
  check_host(to_std(request[http::field::host]));
  check_host(authority_of(to_std(request.target())));
  check_printable(to_std(request.target()));
  check_routing({to_std(request.method_string()), to_std(request.target()), authorization});
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  parse_as_http(bytes);
  // Without the parser, to cover input that the parser refuses. The first line is the target, the
  // rest is a key.
  const std::size_t line = bytes.find('\n');
  const std::string_view target = bytes.substr(0, line);
  const std::string header =
      line == std::string_view::npos ? "" : "Bearer " + std::string{bytes.substr(line + 1)};
  check_printable(target);
  check_host(target);
  check_routing({"GET", target, header});
  return 0;
}
