#pragma once

#include <cstddef>
#include <ctime>
#include <string_view>

#include "base/result.hpp"
#include "collector/hypeman/guests.hpp"

namespace hypeman::collector {

/// The longest of Hypeman's words for the state of a VM, in bytes.
inline constexpr std::size_t max_state_size = 12;

/// Whether the word is a state that a VM can have while its process lives.
[[nodiscard]] bool is_state_of_process(std::string_view word);

/// The state of a VM without a process: "standby" if guests/<id>/snapshots/snapshot-latest holds
/// something, else "stopped". `now` is the time by the wall clock, in seconds.
[[nodiscard]] Result<std::string_view> state_without_process(const Guests& guests,
                                                             std::string_view id, std::time_t now);

}  // namespace hypeman::collector
