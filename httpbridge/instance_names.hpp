#pragma once

#include <string_view>

namespace hypeman::httpbridge {

/// The shapes that Hypeman gives to what `{id}` may be. A text of another shape cannot match
/// anything and never reaches the file system; `by-name` and `metrics.prom`, which stand beside the
/// instances, have no shape of an ID.

/// `[a-z][a-z0-9]*`, 2 to 32 characters.
[[nodiscard]] bool is_instance_id(std::string_view text);

/// The beginning of an instance ID, at least one character.
[[nodiscard]] bool is_instance_id_prefix(std::string_view text);

/// `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 63 characters.
[[nodiscard]] bool is_instance_name(std::string_view text);

}  // namespace hypeman::httpbridge
