#pragma once

#include <sys/types.h>

namespace hypeman::tests {

/// A process that has the PID of one that has ended, but runs no VM. It ends with this object.
class Stranger {
 public:
  /// Throws std::system_error if a process still has the PID.
  explicit Stranger(pid_t pid);
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  Stranger(Stranger&&) = delete;
  Stranger& operator=(Stranger&&) = delete;
  ~Stranger();

 private:
  pid_t pid_;
};

}  // namespace hypeman::tests
