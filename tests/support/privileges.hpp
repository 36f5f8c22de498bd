#pragma once

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace hypeman::tests {

/// The reason why end-to-end tests cannot run here, or nothing if they can.
[[nodiscard]] std::optional<std::string> skip_reason_for_end_to_end();

/// The base of tests that mount, create TAPs or change users. If that is not possible, the tests
/// are skipped with the reason. With CI=true they fail instead, because a skipped test would remain
/// unnoticed. A SetUp() that extends this one must return at once if `IsSkipped() ||
/// HasFatalFailure()`.
class EndToEndTest : public ::testing::Test {
 protected:
  void SetUp() override;

  /// Skips the test, or fails it if CI=true.
  static void skip(const std::string& reason);
};

}  // namespace hypeman::tests
