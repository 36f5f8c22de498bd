#include "tests/support/privileges.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

std::optional<std::string> skip_reason_for_end_to_end() {
  if (::geteuid() != 0) {
    return "needs root to mount, to make TAPs and to act as other users; run it as root";
  }
  for (const char* device : {"/dev/fuse", "/dev/net/tun"}) {
    if (!UniqueFd(::open(device, O_RDWR | O_CLOEXEC))) {
      return std::string("needs ") + device + ": " + std::strerror(errno);
    }
  }
  return std::nullopt;
}

void EndToEndTest::SetUp() {
  if (const std::optional<std::string> reason = skip_reason_for_end_to_end()) {
    skip(*reason);
  }
}

void EndToEndTest::skip(const std::string& reason) {
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string_view(ci) == "true") {
    FAIL() << "end-to-end tests must run under CI=true: " << reason;
  }
  GTEST_SKIP() << reason;
}

}  // namespace hypeman::tests
