#include "tests/support/temporary_directory.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include "tests/support/errors.hpp"

namespace hypeman::tests {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "hypeman-tests-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw errno_error("mkdtemp " + name);
  }
  path_ = name;
  if (::chmod(name.c_str(), 0755) != 0) {
    throw errno_error("chmod " + name);
  }
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;  // if a mount remains in here, the test has already failed
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace hypeman::tests
