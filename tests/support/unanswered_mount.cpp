#include "tests/support/unanswered_mount.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/errors.hpp"

namespace hypeman::tests {

UnansweredMount::UnansweredMount(std::filesystem::path mountpoint)
    : mountpoint_{std::move(mountpoint)}, device_{::open("/dev/fuse", O_RDWR | O_CLOEXEC)} {
  const auto options =
      "rootmode=40000,user_id=0,group_id=0,allow_other,fd=" + std::to_string(device_.get());
  if (::mount("silent", mountpoint_.c_str(), "fuse", 0, options.c_str()) != 0) {
    throw errno_error("mount");
  }
  take_request();
  fuse_init_in request{};
  std::memcpy(&request, request_.data() + sizeof(fuse_in_header), sizeof request);
  fuse_init_out reply{};
  reply.major = FUSE_KERNEL_VERSION;
  reply.minor = request.minor;
  reply.max_write = 4096;
  fuse_out_header header{};
  std::memcpy(&header.unique, request_.data() + offsetof(fuse_in_header, unique),
              sizeof header.unique);
  header.len = sizeof header + sizeof reply;
  const std::array<iovec, 2> parts{{{.iov_base = &header, .iov_len = sizeof header},
                                    {.iov_base = &reply, .iov_len = sizeof reply}}};
  if (::writev(device_.get(), parts.data(), parts.size()) < 0) {
    throw errno_error("answer FUSE_INIT");
  }
}

UnansweredMount::~UnansweredMount() {
  ::umount2(mountpoint_.c_str(), MNT_DETACH);
}

void UnansweredMount::await_request() const {
  constexpr int timeout_ms = 10'000;
  pollfd event{.fd = device_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&event, 1, timeout_ms) != 1) {
    throw std::runtime_error{"there is no request"};
  }
}

void UnansweredMount::take_request() {
  await_request();
  if (::read(device_.get(), request_.data(), request_.size()) <= 0) {
    throw errno_error("read a request");
  }
}

}  // namespace hypeman::tests
