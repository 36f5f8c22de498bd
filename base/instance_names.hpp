#pragma once

#include <string_view>

/// The grammar of Hypeman's instance IDs and names. No instance has an ID or a name that does not
/// match it.
namespace hypeman {

/// A CUID2: `[a-z][a-z0-9]*`, 2 to 32 characters. Not the name of a file in the root of the tree.
[[nodiscard]] bool is_instance_id(std::string_view text);

/// The beginning of an instance ID, at least one character.
[[nodiscard]] bool is_instance_id_prefix(std::string_view text);

/// A DNS label: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 63 characters.
[[nodiscard]] bool is_instance_name(std::string_view text);

}  // namespace hypeman
