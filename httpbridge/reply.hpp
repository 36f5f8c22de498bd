#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "httpbridge/authorizer.hpp"
#include "httpbridge/resource.hpp"
#include "httpbridge/stats_tree.hpp"

namespace hypeman::httpbridge {

/// Why a request is refused before anybody asks for whom it is and what it wants.
enum class BadRequest {
  malformed,
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

/// An answer, before it is put into HTTP's words. The texts outlive every reply.
struct Reply {
  unsigned status = 0;
  std::string_view reason;
  std::string_view content_type;
  std::string_view extra_header;  ///< empty, or one whole header line
  Body body;
};

/// The only places where an outcome becomes an HTTP status and Hypeman's error body.
[[nodiscard]] Reply reply_with(ResourceKind kind, Body contents);
[[nodiscard]] Reply reply_with(Denial denial);
[[nodiscard]] Reply reply_with(ReadFailure failure);
[[nodiscard]] Reply reply_with(BadRequest problem);

/// What stands around a reply on the wire.
struct Framing {
  bool http_1_0 = false;
  bool keep_alive = true;
  std::string_view date;  ///< as the Date header wants it
};

/// Writes the status line and all headers, including the empty line, into `to` (its former text is
/// gone, its memory is reused).
void render_head(const Reply& reply, const Framing& framing, std::string& to);

}  // namespace hypeman::httpbridge
