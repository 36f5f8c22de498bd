#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

/// Holds up each call that opens or reads a file or directory, until this object is destroyed
/// (fanotify(7)). A file that takes its place later is not held up. Needs root.
class HeldFile {
 public:
  enum class Call : std::uint8_t { open, read };

  HeldFile(const std::filesystem::path& path, Call call);

  /// Waits until a call is held up. Returns the PID of the process that makes it.
  [[nodiscard]] pid_t await_call();

 private:
  UniqueFd permissions_;
  UniqueFd file_;  // the kernel passes a descriptor for each call
};

}  // namespace hypeman::tests
