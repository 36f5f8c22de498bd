#include "tests/support/thread_limit.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace hypeman::tests {

bool holds_without_threads(const std::function<bool()>& check) {
  constexpr uid_t nobody = 65534;
  const auto child = ::fork();
  if (child == 0) {
    const rlimit one{.rlim_cur = 1, .rlim_max = 1};
    const bool limited =
        ::setrlimit(RLIMIT_NPROC, &one) == 0 && ::setresuid(nobody, nobody, nobody) == 0;
    ::_exit(limited && check() ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace hypeman::tests
