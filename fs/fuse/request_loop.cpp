#include "fs/fuse/request_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fuse_lowlevel.h>
#include <pthread.h>

#include "base/unique_fd.hpp"
#include "fs/fuse/operations.hpp"

namespace hypeman::fs {
namespace {

// The kernel gives requests to waiting threads in turn, so each further one makes a lone reader's
// round trip longer; a second one answers while the first renders a whole host.
constexpr unsigned worker_threads = 2;
constexpr int wake_signal = SIGUSR1;

struct DestroySession {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

/// A session on a descriptor of /dev/fuse that is mounted already. Null if libfuse refuses it.
Session make_session(UniqueFd device, const fuse_lowlevel_ops& operations, ServedTree& served) {
  fuse_args arguments FUSE_ARGS_INIT(0, nullptr);
  ::fuse_opt_add_arg(&arguments, "hypeman-statsfs");
  Session session{::fuse_session_new(&arguments, &operations, sizeof operations, &served)};
  ::fuse_opt_free_args(&arguments);

  const auto path = "/dev/fd/" + std::to_string(device.get());
  if (session == nullptr || ::fuse_session_mount(session.get(), path.c_str()) != 0) {
    return nullptr;
  }
  static_cast<void>(device.release());  // the session closes it
  return session;
}

/// The requests that one thread receives, in libfuse's growing buffer.
class RequestBuffer {
 public:
  RequestBuffer() = default;
  RequestBuffer(const RequestBuffer&) = delete;
  RequestBuffer& operator=(const RequestBuffer&) = delete;
  RequestBuffer(RequestBuffer&&) = delete;
  RequestBuffer& operator=(RequestBuffer&&) = delete;
  // NOLINTNEXTLINE(*-no-malloc,*-owning-memory): libfuse allocates it, for us to free
  ~RequestBuffer() { ::free(buffer_.mem); }

  fuse_buf* get() { return &buffer_; }

 private:
  fuse_buf buffer_{};
};

/// The threads that answer a session's requests, until its connection ends.
class Workers {
 public:
  explicit Workers(fuse_session* session) : session_{session} {
    for (unsigned count = 0; count < worker_threads; ++count) {
      threads_.emplace_back([this] { work(); });
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  Workers(Workers&&) = delete;
  Workers& operator=(Workers&&) = delete;

  /// Where the connection has not ended, the threads are called away from waiting for a request; a
  /// signal may come just before the wait, so until it has worked.
  ~Workers() {
    ::fuse_session_exit(session_);
    while (running_ != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      for (auto& thread : threads_) {
        ::pthread_kill(thread.native_handle(), wake_signal);
      }
    }
  }

  /// Becomes readable when a thread has found the connection ended.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  void work() {
    RequestBuffer buffer;
    while (::fuse_session_exited(session_) == 0) {
      const int received = ::fuse_session_receive_buf(session_, buffer.get());
      if (received == -EINTR) {
        continue;
      }
      if (received <= 0) {
        break;
      }
      ::fuse_session_process_buf(session_, buffer.get());
    }
    ::eventfd_write(ended_.get(), 1);
    --running_;
  }

  fuse_session* session_;
  UniqueFd ended_{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<unsigned> running_ = worker_threads;
  std::vector<std::jthread> threads_;
};

/// Lets wake_signal interrupt a system call, and do nothing else.
void prepare_wake_signal() {
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) {};
  ::sigaction(wake_signal, &action, nullptr);
}

}  // namespace

tl::expected<void, std::string> serve(UniqueFd device, int end, Tree& tree) {
  const auto operations = fuse_operations();
  ServedTree served{.tree = tree, .files = {}, .directories = {}};
  const auto session = make_session(std::move(device), operations, served);
  if (session == nullptr) {
    return tl::unexpected{"cannot serve the mount: " + std::generic_category().message(errno)};
  }
  prepare_wake_signal();

  const Workers workers{session.get()};
  std::array<pollfd, 2> events{{{.fd = end, .events = POLLIN, .revents = 0},
                                {.fd = workers.ended(), .events = POLLIN, .revents = 0}}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  return {};
}

}  // namespace hypeman::fs
