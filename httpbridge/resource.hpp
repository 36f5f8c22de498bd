#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hypeman::httpbridge {

enum class ResourceKind { instance_stats, metrics, health };

/// What a request asks for, before anything is looked up.
struct Resource {
  ResourceKind kind = ResourceKind::health;
  /// For instance_stats: the decoded `{id}` (an ID, a name or an ID prefix), or empty when what the
  /// client sent cannot be any of them.
  std::string instance;

  [[nodiscard]] bool operator==(const Resource&) const = default;
};

/// The route of a request target (origin-form or absolute-form, query ignored), percent-decoded
/// exactly once. Nothing when no route has this path.
[[nodiscard]] std::optional<Resource> find_resource(std::string_view target);

}  // namespace hypeman::httpbridge

template <>
struct std::hash<hypeman::httpbridge::Resource> {
  [[nodiscard]] std::size_t operator()(const hypeman::httpbridge::Resource& resource) const {
    return std::hash<std::string>{}(resource.instance) + static_cast<std::size_t>(resource.kind);
  }
};
