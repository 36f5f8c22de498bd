#pragma once

#include <filesystem>

#include "base/unique_fd.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

/// A named pipe that is full, so that a write to it blocks.
class FullPipe {
 public:
  FullPipe();

  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "pipe"; }

 private:
  TemporaryDirectory directory_;
  UniqueFd pipe_;
};

}  // namespace hypeman::tests
