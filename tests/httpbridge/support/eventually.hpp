#pragma once

#include <chrono>
#include <thread>

namespace hypeman::httpbridge::testing {

/// Whether the condition becomes true within ten seconds.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace hypeman::httpbridge::testing
