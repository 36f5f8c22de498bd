#include "httpbridge/http/reply.hpp"

#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "httpbridge/http/whole_host_file.hpp"
#include "httpbridge/page/page.hpp"

namespace hypeman::httpbridge {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view json = "application/json";
constexpr std::string_view allow = "Allow: GET, HEAD\r\n";
constexpr std::string_view retry_after = "Retry-After: 1\r\n";
constexpr std::string_view bearer = "WWW-Authenticate: Bearer\r\n";
// Hypeman's clients retry a 409 without it.
constexpr std::string_view no_retry = "x-should-retry: false\r\n";
// Nothing in the page comes from elsewhere, is inline, or becomes markup.
constexpr std::string_view page_policy =
    "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src 'self'; "
    "script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n";

struct Status {
  unsigned number = 0;
  std::string_view reason;
};
constexpr Status ok{200, "OK"};
constexpr Status not_modified{304, "Not Modified"};
constexpr Status bad_request{400, "Bad Request"};
constexpr Status unauthorized{401, "Unauthorized"};
constexpr Status forbidden{403, "Forbidden"};
constexpr Status not_found{404, "Not Found"};
constexpr Status method_not_allowed{405, "Method Not Allowed"};
constexpr Status request_timeout{408, "Request Timeout"};
constexpr Status conflict{409, "Conflict"};
constexpr Status content_too_large{413, "Content Too Large"};
constexpr Status uri_too_long{414, "URI Too Long"};
constexpr Status misdirected{421, "Misdirected Request"};
constexpr Status header_too_large{431, "Request Header Fields Too Large"};
constexpr Status internal_error{500, "Internal Server Error"};
constexpr Status unavailable{503, "Service Unavailable"};

// Codes and messages are constants of this file. JSON needs no escape for any of their characters.
Reply error_reply(const Status& status, std::string_view code, std::string_view message,
                  std::string_view extra_header = {}) {
  return {status.number, status.reason, json, extra_header,
          std::make_shared<const std::string>(
              fmt::format(R"({{"code":"{}","message":"{}"}})", code, message))};
}

Reply unauthorized_reply(std::string_view why) {
  return error_reply(unauthorized, "Unauthorized",
                     fmt::format("security requirements failed: {}", why), bearer);
}

Reply not_found_reply() {
  return error_reply(not_found, "not_found", "resource not found");
}

}  // namespace

Reply reply_with(RouteKind kind, Body contents) {
  if (kind == RouteKind::health) {
    contents = std::make_shared<const std::string>(R"({"status":"ok"})");
  }
  const auto* const file = whole_host_file(kind);
  const std::string_view content_type = file != nullptr ? file->content_type : json;
  return {ok.number, ok.reason, content_type, {}, std::move(contents)};
}

Reply reply_with(const PageFile& file, std::string_view if_none_match) {
  const bool has_it =
      !file.entity_tag.empty() &&
      (if_none_match == "*" || if_none_match.find(file.entity_tag) != std::string_view::npos);
  const Status& status = has_it ? not_modified : ok;
  return {status.number, status.reason, file.content_type, page_policy, file.body, file.caching};
}

Reply reply_with(AuthorizationError error) {
  switch (error) {
    case AuthorizationError::header_missing:
      return unauthorized_reply("authorization header required");
    case AuthorizationError::header_malformed:
      return unauthorized_reply("invalid authorization header format");
    case AuthorizationError::token_invalid:
      return unauthorized_reply("invalid token");
    case AuthorizationError::token_type_invalid:
      return unauthorized_reply("invalid token type");
    case AuthorizationError::scope_missing:
      break;
  }
  return error_reply(forbidden, "Forbidden", "missing required scope: instance:read");
}

Reply reply_with(ReadError error) {
  switch (error) {
    case ReadError::not_found:
      return not_found_reply();
    case ReadError::ambiguous:
      return error_reply(conflict, "ambiguous", "multiple resources match, use full ID", no_retry);
    case ReadError::unavailable:
      return error_reply(unavailable, "unavailable", "statistics are not available at the moment",
                         retry_after);
    case ReadError::no_permission:
      return error_reply(unavailable, "unavailable",
                         "the bridge has no permission to read the statistics", retry_after);
    case ReadError::failed:
      break;
  }
  return error_reply(internal_error, "internal_error", "failed to resolve resource");
}

Reply reply_with(BadRequest reason) {
  switch (reason) {
    case BadRequest::malformed:
      break;
    case BadRequest::other_host:
      return error_reply(misdirected, "misdirected_request",
                         "without keys, the bridge serves only loopback hosts such as localhost");
    case BadRequest::too_slow:
      return error_reply(request_timeout, "request_timeout", "the request took too long to arrive");
    case BadRequest::body_too_large:
      return error_reply(content_too_large, "content_too_large", "the request body is too large");
    case BadRequest::target_too_long:
      return error_reply(uri_too_long, "uri_too_long", "the request target is too long");
    case BadRequest::header_too_large:
      return error_reply(header_too_large, "header_too_large", "the request header is too large");
    case BadRequest::method_not_allowed:
      return error_reply(method_not_allowed, "method_not_allowed", "use GET or HEAD", allow);
    case BadRequest::no_such_route:
      return not_found_reply();
    case BadRequest::too_many_connections:
      return error_reply(unavailable, "unavailable", "too many connections", retry_after);
  }
  return error_reply(bad_request, "bad_request", "the request is not valid HTTP");
}

std::string_view HttpDate::now() {
  const std::time_t now = std::time(nullptr);
  if (now != time_) {
    time_ = now;
    text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return text_;
}

void write_header(const Reply& reply, const ConnectionHeaders& connection, std::string& to) {
  // HTTP/1.0 closes a connection by default, HTTP/1.1 keeps it open.
  std::string_view connection_header;
  if (!connection.keep_alive) {
    connection_header = "Connection: close\r\n";
  } else if (connection.is_http_1_0) {
    connection_header = "Connection: keep-alive\r\n";
  }
  const fmt::format_int status{reply.status};
  const fmt::format_int length{reply.body->size()};
  to.clear();
  // Several times faster than fmt::format_to(), which every response would pay for.
  for (const std::string_view part :
       {"HTTP/1.1 "sv, std::string_view{status.data(), status.size()}, " "sv, reply.reason,
        "\r\nContent-Type: "sv, reply.content_type, "\r\nContent-Length: "sv,
        std::string_view{length.data(), length.size()}, "\r\n"sv, reply.caching, "Date: "sv,
        connection.date, "\r\n"sv, reply.extra_header, connection_header, "\r\n"sv}) {
    to.append(part);
  }
}

}  // namespace hypeman::httpbridge
