#pragma once

#include <string>
#include <string_view>

namespace hypeman::tests {

/// An instance ID of this process: while it runs, no other test program uses this ID, nor the name
/// of its TAP. `first` is the letter that it begins with.
[[nodiscard]] std::string own_instance_id(char first);

/// The name of the TAP of an instance.
[[nodiscard]] std::string tap_of(std::string_view id);

}  // namespace hypeman::tests
