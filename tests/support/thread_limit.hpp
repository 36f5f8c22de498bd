#pragma once

#include <functional>

namespace hypeman::tests {

/// Runs `check` in a child process of an unprivileged user who may not start a thread. Returns
/// whether it has returned true. Needs root.
[[nodiscard]] bool holds_without_threads(const std::function<bool()>& check);

}  // namespace hypeman::tests
