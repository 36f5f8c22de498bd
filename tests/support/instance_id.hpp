#pragma once

#include <string>
#include <string_view>

namespace hypeman::tests {

/// An instance ID for this process. While the process runs, no other test program uses the same ID
/// or TAP name. `first` is the first letter of the ID.
[[nodiscard]] std::string own_instance_id(char first);

/// The name of the TAP of an instance.
[[nodiscard]] std::string tap_of(std::string_view id);

}  // namespace hypeman::tests
