#pragma once

#include <chrono>
#include <thread>

namespace hypeman::httpbridge::testing {

/// Whether the condition becomes true within this time.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition,
                              std::chrono::seconds limit = std::chrono::seconds{10}) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace hypeman::httpbridge::testing
