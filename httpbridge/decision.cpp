#include "httpbridge/decision.hpp"

#include <utility>

namespace hypeman::httpbridge {

Decision decide(const RequestHead& request, ShownKey& key,
                const std::shared_ptr<const Authorizer>& authorizer,
                std::chrono::system_clock::time_point now) {
  // Hypeman's router picks the route, and with it 404 and 405, before its authentication runs;
  // nothing is given away, since the routes are documented. Every look-up comes after it.
  auto resource = find_resource(request.target);
  if (!resource) {
    return reply_with(BadRequest::no_such_route);
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return reply_with(BadRequest::method_not_allowed);
  }
  if (resource->kind == ResourceKind::health) {
    return *std::move(resource);
  }
  if (const auto allowed = key.check(authorizer, request.authorization, now); !allowed) {
    return reply_with(allowed.error());
  }
  if (resource->kind == ResourceKind::instance_stats && resource->instance.empty()) {
    return reply_with(ReadFailure::not_found);
  }
  return *std::move(resource);
}

}  // namespace hypeman::httpbridge
