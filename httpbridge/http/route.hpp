#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hypeman::httpbridge {

enum class RouteKind { instance_stats, all_stats, metrics, health };

/// The statistics that a request asks for. No instance has been looked up yet.
struct Route {
  RouteKind kind = RouteKind::health;
  /// For instance_stats: the decoded `{id}`, which is an ID, a name or an ID prefix. Empty if the
  /// client's text cannot be any of them.
  std::string instance;

  [[nodiscard]] bool operator==(const Route&) const = default;
};

/// Finds the route of a request target in origin-form or absolute-form. Ignores the query. Decodes
/// percent-encoding exactly once. Returns nothing if no route has this path.
[[nodiscard]] std::optional<Route> find_route(std::string_view target);

/// The path of a request target, not decoded.
[[nodiscard]] std::string_view path_of(std::string_view target);

/// The host and port in a target in absolute-form, empty in another form.
[[nodiscard]] std::string_view authority_of(std::string_view target);

}  // namespace hypeman::httpbridge

template <>
struct std::hash<hypeman::httpbridge::Route> {
  [[nodiscard]] std::size_t operator()(const hypeman::httpbridge::Route& route) const {
    return std::hash<std::string>{}(route.instance) + static_cast<std::size_t>(route.kind);
  }
};
