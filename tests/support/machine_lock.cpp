#include "tests/support/machine_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <string>

#include "tests/support/errors.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {

MachineLock& MachineLock::instance() {
  static MachineLock lock;
  return lock;
}

MachineLock::MachineLock()
    : file_{::open(std::string{paths::source_root}.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {
  if (!file_) {
    throw errno_error("open the source directory");
  }
}

void MachineLock::share() {
  lock(LOCK_SH);
}

void MachineLock::take_alone() {
  lock(LOCK_EX);
}

void MachineLock::lock(int operation) {
  while (::flock(file_.get(), operation) != 0) {
    if (errno != EINTR) {
      throw errno_error("flock");
    }
  }
}

}  // namespace hypeman::tests
