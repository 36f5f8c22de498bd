#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/mount/read_error.hpp"

namespace hypeman::httpbridge {

struct PageFile;

/// Why a request is refused before its authorization is checked.
enum class BadRequest {
  malformed,
  other_host,
  too_slow,
  body_too_large,
  target_too_long,
  header_too_large,
  method_not_allowed,
  no_such_route,
  too_many_connections,
};

/// Bytes that several replies may share.
using Body = std::shared_ptr<const std::string>;

/// A response without the headers that depend on the connection. The texts live as long as the
/// server.
struct Reply {
  unsigned status = 0;
  std::string_view reason;
  std::string_view content_type;
  std::string_view extra_header;  ///< empty, or whole header lines
  Body body;
  std::string_view caching = "Cache-Control: no-store\r\n";  ///< whole header lines

  /// The reply has the headers of the body, but the body is not sent.
  [[nodiscard]] bool is_not_modified() const { return status == 304; }
};

/// Only these functions map results to an HTTP status and to an error body of Hypeman's API.
[[nodiscard]] Reply reply_with(RouteKind kind, Body contents);
/// A 304 if the client already has this version of the file.
[[nodiscard]] Reply reply_with(const PageFile& file, std::string_view if_none_match);
[[nodiscard]] Reply reply_with(AuthorizationError error);
[[nodiscard]] Reply reply_with(ReadError error);
[[nodiscard]] Reply reply_with(BadRequest reason);

/// The value of the Date header. Formats it once per second.
class HttpDate {
 public:
  /// The text is valid until the next call.
  [[nodiscard]] std::string_view now();

 private:
  std::time_t time_ = 0;
  std::string text_;
};

/// The parts of a response header that depend on the connection.
struct ConnectionHeaders {
  bool is_http_1_0 = false;
  bool keep_alive = true;
  std::string_view date;  ///< the value of the Date header
};

/// Replaces the text of `to` by the status line, all headers and the empty line. Reuses its memory.
void write_header(const Reply& reply, const ConnectionHeaders& connection, std::string& to);

}  // namespace hypeman::httpbridge
