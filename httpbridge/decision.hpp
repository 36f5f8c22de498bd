#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "httpbridge/authorizer.hpp"
#include "httpbridge/reply.hpp"
#include "httpbridge/resource.hpp"

namespace hypeman::httpbridge {

/// The parts of a request that decide over it.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> authorization;
};

/// Either the answer at once, or what must be read for it.
using Decision = std::variant<Reply, Resource>;

/// Routes the request and checks its key against `authorizer`; `key` is what its connection showed
/// before. Touches no file.
[[nodiscard]] Decision decide(const RequestHead& request, ShownKey& key,
                              const std::shared_ptr<const Authorizer>& authorizer,
                              std::chrono::system_clock::time_point now);

}  // namespace hypeman::httpbridge
