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

// The kernel gives requests to the waiting threads in turn, so every additional thread makes the
// round trip of a single reader longer. The second thread answers other readers while the first
// renders a file of the whole host.
constexpr unsigned thread_count = 2;
constexpr int wake_signal = SIGUSR1;

struct DestroySession {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

/// Creates a session on a descriptor of /dev/fuse that is already mounted. Null if libfuse fails.
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

/// The request buffer of one thread. libfuse allocates it on the first request.
class RequestBuffer {
 public:
  RequestBuffer() = default;
  RequestBuffer(const RequestBuffer&) = delete;
  RequestBuffer& operator=(const RequestBuffer&) = delete;
  RequestBuffer(RequestBuffer&&) = delete;
  RequestBuffer& operator=(RequestBuffer&&) = delete;
  // NOLINTNEXTLINE(*-no-malloc,*-owning-memory): libfuse allocates it, the caller frees it
  ~RequestBuffer() { ::free(buffer_.mem); }

  fuse_buf* get() { return &buffer_; }

 private:
  fuse_buf buffer_{};
};

/// The threads that answer the requests of a session.
class RequestThreads {
 public:
  explicit RequestThreads(fuse_session* session) : session_{session} {
    for (unsigned count = 0; count < thread_count; ++count) {
      threads_.emplace_back([this] { handle_requests(); });
    }
  }
  RequestThreads(const RequestThreads&) = delete;
  RequestThreads& operator=(const RequestThreads&) = delete;
  RequestThreads(RequestThreads&&) = delete;
  RequestThreads& operator=(RequestThreads&&) = delete;

  /// Stops and joins the threads. A signal interrupts a thread that waits for a request. A signal
  /// that arrives just before the wait has no effect, so this repeats it until the thread has
  /// ended.
  ~RequestThreads() {
    ::fuse_session_exit(session_);
    while (running_ != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      for (auto& thread : threads_) {
        ::pthread_kill(thread.native_handle(), wake_signal);
      }
    }
  }

  /// A descriptor that becomes readable when a thread has ended, for example after an unmount.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  void handle_requests() {
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
  std::atomic<unsigned> running_ = thread_count;
  std::vector<std::jthread> threads_;
};

/// Installs a handler that does nothing, so that wake_signal only interrupts system calls.
void install_wake_signal_handler() {
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) {};
  ::sigaction(wake_signal, &action, nullptr);
}

}  // namespace

tl::expected<void, std::string> run_request_loop(UniqueFd device, int shutdown, Tree& tree) {
  const auto operations = fuse_operations();
  ServedTree served{.tree = tree, .files = {}, .directories = {}, .deferred = {}};
  const auto session = make_session(std::move(device), operations, served);
  if (session == nullptr) {
    return tl::unexpected{"cannot start the FUSE session: " +
                          std::generic_category().message(errno)};
  }
  install_wake_signal_handler();

  const RequestThreads threads{session.get()};
  std::array<pollfd, 2> events{{{.fd = shutdown, .events = POLLIN, .revents = 0},
                                {.fd = threads.ended(), .events = POLLIN, .revents = 0}}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  return {};
}

}  // namespace hypeman::fs
