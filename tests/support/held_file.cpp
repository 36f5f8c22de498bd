#include "tests/support/held_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

#include "tests/support/errors.hpp"

namespace hypeman::tests {

HeldFile::HeldFile(const std::filesystem::path& path, Call call)
    : permissions_{::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC)} {
  const std::uint64_t event = call == Call::open ? FAN_OPEN_PERM : FAN_ACCESS_PERM;
  if (!permissions_ ||
      ::fanotify_mark(permissions_.get(), FAN_MARK_ADD, event | std::uint64_t{FAN_ONDIR}, AT_FDCWD,
                      path.c_str()) != 0) {
    throw errno_error("fanotify");
  }
}

pid_t HeldFile::await_call() {
  constexpr int timeout_ms = 10'000;
  pollfd ready{.fd = permissions_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, timeout_ms) != 1) {
    throw std::runtime_error{"there is no call"};
  }
  fanotify_event_metadata event{};
  if (::read(permissions_.get(), &event, sizeof event) != ssize_t{sizeof event}) {
    throw errno_error("read an event of fanotify");
  }
  file_ = UniqueFd{event.fd};
  return event.pid;
}

}  // namespace hypeman::tests
