#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/http/reply.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/page/page.hpp"

namespace hypeman::httpbridge {

/// The parts of a request that select its reply.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> authorization;
  std::string_view if_none_match = {};
};

/// Finds the route of a request and authorizes the request. The error is a reply that needs no
/// statistics: it refuses the request or serves a file of the page. `cache` belongs to the
/// connection. Opens no file.
[[nodiscard]] tl::expected<Route, Reply> route_request(
    const RequestHead& request, const Page& page, CachedAuthorization& cache,
    const std::shared_ptr<const Authorizer>& authorizer, std::chrono::system_clock::time_point now);

}  // namespace hypeman::httpbridge
