#pragma once

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace hypeman::tests {

/// Why end-to-end tests cannot run here; nothing if they can.
[[nodiscard]] std::optional<std::string> skip_reason_for_end_to_end();

/// Base of the tests that mount, make TAPs or change users. Where that is not possible they say why
/// and are skipped; under CI=true that is a failure, because a skip there would hide a hole.
/// A SetUp that extends this one returns at once when `IsSkipped() || HasFatalFailure()`.
class EndToEndTest : public ::testing::Test {
 protected:
  void SetUp() override;

  /// Skips the test that is being set up, or fails it under CI=true.
  static void skip(const std::string& reason);
};

}  // namespace hypeman::tests
