#pragma once

#include <array>
#include <filesystem>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

/// A FUSE file system that answers no request after FUSE_INIT. A system call on it hangs until this
/// object is destroyed. Needs root and /dev/fuse.
class UnansweredMount {
 public:
  explicit UnansweredMount(std::filesystem::path mountpoint);
  UnansweredMount(const UnansweredMount&) = delete;
  UnansweredMount& operator=(const UnansweredMount&) = delete;
  UnansweredMount(UnansweredMount&&) = delete;
  UnansweredMount& operator=(UnansweredMount&&) = delete;
  ~UnansweredMount();

  /// Waits until a system call hangs. SIGKILL can end it.
  void await_request() const;
  /// Takes the request of the system call that hangs. After that, not even SIGKILL can end it.
  void take_request();

 private:
  std::filesystem::path mountpoint_;
  UniqueFd device_;
  std::array<char, 65536> request_{};
};

}  // namespace hypeman::tests
