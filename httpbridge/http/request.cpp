#include "httpbridge/http/request.hpp"

namespace hypeman::httpbridge {

tl::expected<Route, Reply> route_request(const RequestHead& request, const Page& page,
                                         CachedAuthorization& cache,
                                         const std::shared_ptr<const Authorizer>& authorizer,
                                         std::chrono::system_clock::time_point now) {
  // Hypeman's router returns 404 and 405 before it authenticates a request. This reveals nothing,
  // because the routes are documented. Every look-up of an instance comes after authentication.
  const PageFile* const file = page.find(path_of(request.target));
  auto route = find_route(request.target);
  if (file == nullptr && !route) {
    return tl::unexpected(reply_with(BadRequest::no_such_route));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return tl::unexpected(reply_with(BadRequest::method_not_allowed));
  }
  if (file != nullptr && !file->needs_key) {
    return tl::unexpected(reply_with(*file, request.if_none_match));
  }
  if (file == nullptr && route->kind == RouteKind::health) {
    return *std::move(route);
  }
  if (const auto allowed = cache.authorize(authorizer, request.authorization, now); !allowed) {
    return tl::unexpected(reply_with(allowed.error()));
  }
  if (file != nullptr) {
    return tl::unexpected(reply_with(*file, request.if_none_match));
  }
  if (route->kind == RouteKind::instance_stats && route->instance.empty()) {
    return tl::unexpected(reply_with(ReadError::not_found));
  }
  return *std::move(route);
}

}  // namespace hypeman::httpbridge
