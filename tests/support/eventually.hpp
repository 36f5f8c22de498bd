#pragma once

#include <chrono>
#include <concepts>
#include <thread>

namespace hypeman::tests {

/// Whether `predicate` becomes true within `timeout`. Use it only if there is no event to wait for.
template <std::predicate Predicate>
[[nodiscard]] bool eventually(Predicate predicate,
                              std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace hypeman::tests
