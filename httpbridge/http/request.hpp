#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/http/reply.hpp"
#include "httpbridge/http/route.hpp"

namespace hypeman::httpbridge {

/// The parts of a request that select its reply.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> authorization;
};

/// Finds the route of a request and authorizes the request; the error is the reply that refuses it.
/// `cache` belongs to the connection. Opens no file.
[[nodiscard]] tl::expected<Route, Reply> route_request(
    const RequestHead& request, CachedAuthorization& cache,
    const std::shared_ptr<const Authorizer>& authorizer, std::chrono::system_clock::time_point now);

}  // namespace hypeman::httpbridge
