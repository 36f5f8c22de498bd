#include "tests/support/full_pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace hypeman::tests {

FullPipe::FullPipe() {
  if (::mkfifo(path().c_str(), 0600) != 0) {
    throw std::system_error{errno, std::generic_category(), "mkfifo"};
  }
  pipe_ = UniqueFd{::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  const std::vector<char> page(4096, 'x');
  while (::write(pipe_.get(), page.data(), page.size()) > 0) {
  }
}

}  // namespace hypeman::tests
