#pragma once

#include "base/unique_fd.hpp"

namespace hypeman::tests {

/// Settings of the kernel affect the tests of every program that runs at the same time, also those
/// of another build directory. So each program shares the machine while it runs, and a program that
/// changes a setting first waits until it has the machine alone.
class MachineLock {
 public:
  /// The lock of this process.
  [[nodiscard]] static MachineLock& instance();

  void share();
  void take_alone();

 private:
  MachineLock();
  void lock(int operation);

  UniqueFd file_;
};

}  // namespace hypeman::tests
