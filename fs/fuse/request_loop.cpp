#include "fs/fuse/request_loop.hpp"

#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fuse_lowlevel.h>
#include <pthread.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "fs/fuse/operations.hpp"
#include "fs/ring/message.hpp"

namespace hypeman::fs {
namespace {

// The kernel gives requests to the waiting threads in turn, so every additional thread makes the
// round trip of a single reader longer. The second thread answers other readers while the first
// renders a file of the whole host.
constexpr unsigned thread_count = 2;
constexpr int wake_signal = SIGUSR1;
// How long the end of the process waits for the answers to the requests that it has received.
constexpr std::chrono::seconds answer_timeout{2};

struct DestroySession {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

ssize_t read_request(int device, void* buffer, std::size_t size, void* /*served*/) {
  return ::read(device, buffer, size);
}

/// Sends a reply to where the request came from.
ssize_t send_reply(int device, iovec* parts, int count, void* user_data) {
  const auto& served = *static_cast<ServedTree*>(user_data);
  const std::span reply{parts, static_cast<std::size_t>(count)};
  fuse_out_header header{};
  std::memcpy(&header, reply.front().iov_base, sizeof header);
  if (served.rings == nullptr || !served.rings->owns(header.unique)) {
    if (served.accepts_rings) {
      static_cast<void>(accept_rings(reply, served.rings->payload_size()));
    }
    return ::writev(device, parts, count);
  }
  if (const auto answered = served.rings->answer(header.unique, reply); !answered) {
    errno = answered.error().value();
    return -1;
  }
  return header.len;
}

/// Replies to requests of a ring must go back to the ring, so send_reply() sends all replies. Fails
/// if libfuse was built without this, as that of Debian 14.
bool use_own_functions(fuse_session* session, int device) {
  const fuse_custom_io io{.writev = send_reply, .read = read_request};
  return ::fuse_session_custom_io(session, &io, device) == 0;
}

/// libfuse takes a path of this form for a descriptor of /dev/fuse that is already mounted.
bool use_device(fuse_session* session, int device) {
  return ::fuse_session_mount(session, ("/dev/fd/" + std::to_string(device)).c_str()) == 0;
}

/// Creates a session on a descriptor of /dev/fuse that is already mounted. Null if libfuse fails.
/// Removes the rings if this libfuse cannot use them.
Session make_session(UniqueFd device, const fuse_lowlevel_ops& operations, ServedTree& served) {
  fuse_args arguments FUSE_ARGS_INIT(0, nullptr);
  ::fuse_opt_add_arg(&arguments, "hypeman-statsfs");
  Session session{::fuse_session_new(&arguments, &operations, sizeof operations, &served)};
  ::fuse_opt_free_args(&arguments);
  if (session == nullptr) {
    return nullptr;
  }
  if (served.rings != nullptr && !use_own_functions(session.get(), device.get())) {
    served.rings = nullptr;
  }
  if (served.rings == nullptr && !use_device(session.get(), device.get())) {
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
  /// The request in it.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(buffer_.mem), buffer_.size};
  }

 private:
  fuse_buf buffer_{};
};

/// Receives a request. Returns its size, 0 if the connection is closed or the session has ended, or
/// a negative errno.
int receive(fuse_session* session, RequestBuffer& buffer) {
  int received = -EINTR;
  while (received == -EINTR && ::fuse_session_exited(session) == 0) {
    received = ::fuse_session_receive_buf(session, buffer.get());
  }
  return received == -EINTR || received == -ENODEV ? 0 : received;
}

/// What the request threads use. Each thread keeps it until it ends, because a thread that hangs in
/// the kernel is not waited for.
struct Requests {
  Requests(UniqueFd device, Tree& tree, std::unique_ptr<Rings> rings)
      : served{.tree = tree,
               .files = {},
               .directories = {},
               .rings = std::move(rings),
               .owner = {}},
        session{make_session(std::move(device), operations, served)} {}

  /// Ends the request loop.
  void end(int reason) {
    if (reason != 0) {
      error = reason;
    }
    ::eventfd_write(ended.get(), 1);
  }

  const fuse_lowlevel_ops operations = fuse_operations();
  ServedTree served;
  Session session;
  UniqueFd ended{::eventfd(0, EFD_CLOEXEC)};  // readable when a thread has ended
  std::atomic<unsigned> running = 0;          // threads that read from /dev/fuse
  std::atomic<int> error = 0;  // the errno of the thread that could not receive a request
};

void answer_requests(Requests& requests) {
  RequestBuffer buffer;
  int received = 0;
  while ((received = receive(requests.session.get(), buffer)) > 0) {
    ::fuse_session_process_buf(requests.session.get(), buffer.get());
  }
  requests.end(-received);
  --requests.running;
}

/// The threads that answer the requests.
class RequestThreads {
 public:
  explicit RequestThreads(std::shared_ptr<Requests> requests) : requests_{std::move(requests)} {
    try {
      for (unsigned count = 0; count < thread_count; ++count) {
        ++requests_->running;
        threads_.emplace_back([requests = requests_] { answer_requests(*requests); });
      }
    } catch (const std::system_error&) {
      --requests_->running;
      if (threads_.empty()) {
        throw;
      }
      // One thread can answer everybody.
    }
  }
  RequestThreads(const RequestThreads&) = delete;
  RequestThreads& operator=(const RequestThreads&) = delete;
  RequestThreads(RequestThreads&&) = delete;
  RequestThreads& operator=(RequestThreads&&) = delete;

  /// Waits until the threads have answered what they have received, but not for a thread that
  /// hangs. A signal interrupts a thread that waits for a request. A signal that arrives just
  /// before the wait has no effect, so this repeats it.
  ~RequestThreads() {
    const auto deadline = std::chrono::steady_clock::now() + answer_timeout;
    auto& served = requests_->served;
    ::fuse_session_exit(requests_->session.get());
    if (served.rings != nullptr) {
      served.rings->refuse_requests();
    }
    while (requests_->running != 0 && std::chrono::steady_clock::now() < deadline) {
      for (auto& thread : threads_) {
        ::pthread_kill(thread.native_handle(), wake_signal);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    static_cast<void>(served.deferred.wait_until_idle(deadline));
    static_cast<void>(served.deferred_names.wait_until_idle(deadline));
    if (served.rings != nullptr) {
      // Only now, because the rings send the answers of the other threads.
      static_cast<void>(served.rings->stop(deadline));
    }
    for (auto& thread : threads_) {
      requests_->running == 0 ? thread.join() : thread.detach();
    }
  }

 private:
  std::shared_ptr<Requests> requests_;
  std::vector<std::thread> threads_;
};

/// Installs a handler that does nothing, so that wake_signal only interrupts system calls.
void install_wake_signal_handler() {
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) {};
  ::sigaction(wake_signal, &action, nullptr);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, wake_signal);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

[[nodiscard]] Result<void> start_rings(Requests& requests) {
  // The owner keeps the callbacks, so the callbacks must not keep the owner.
  const auto handle = [&requests](std::span<std::byte> message) {
    const fuse_buf buffer{.size = message.size(), .flags = {}, .mem = message.data()};
    ::fuse_session_process_buf(requests.session.get(), &buffer);
  };
  const auto failed = [&requests](int error) { requests.end(error); };
  return requests.served.rings->start(requests.served.owner.lock(),
                                      {.handle = handle, .failed = failed}, wake_signal);
}

tl::unexpected<std::string> cannot(const std::string& what, int error) {
  return tl::unexpected{"cannot " + what + ": " + std::generic_category().message(error) +
                        "; start hypeman-statsfs again"};
}

/// The first request is FUSE_INIT. The kernel sends the other requests after the answer to it.
/// Without rings afterwards, `reason` says why. Returns as receive() does.
int answer_first_request(Requests& requests, std::string& reason) {
  RequestBuffer buffer;
  const int received = receive(requests.session.get(), buffer);
  if (received <= 0) {
    return received;
  }
  auto& rings = requests.served.rings;
  if (rings != nullptr) {
    if (!offers_rings(buffer.bytes())) {
      reason = "the kernel does not offer it";
    } else if (const auto started = start_rings(requests); !started) {
      const bool too_many = started.error() == std::errc::resource_unavailable_try_again;
      reason = "cannot start its threads: " + started.error().message() +
               (too_many ? "; raise the limit on threads (TasksMax=)"
                         : "; allow io_uring_enter(2) in the seccomp policy");
    }
    if (!reason.empty()) {
      rings = nullptr;
    }
  }
  requests.served.accepts_rings = rings != nullptr;
  ::fuse_session_process_buf(requests.session.get(), buffer.get());
  requests.served.accepts_rings = false;
  return received;
}

/// Decides about the transport and logs it. Fails if the user wants io_uring and there is none.
tl::expected<void, std::string> register_rings(Requests& requests, TransportChoice choice,
                                               std::string& reason, spdlog::logger& logger) {
  auto& metrics = requests.served.tree.own_metrics();
  metrics.set_transport(name_of(Transport::classic));
  if (requests.served.rings != nullptr) {
    metrics.set_transport(name_of(Transport::io_uring));  // before the first request
    const auto registered = requests.served.rings->register_with_kernel();
    if (registered) {
      logger.info("requests come through io_uring");
      return {};
    }
    metrics.set_transport(name_of(Transport::classic));
    reason = "the kernel does not accept the rings: " + registered.error().message();
    if (registered.error() == std::errc::timed_out) {
      return tl::unexpected{reason + "; start hypeman-statsfs with -o io_uring=off"};
    }
  }
  if (choice == TransportChoice::io_uring) {
    return tl::unexpected{"-o io_uring=on is not possible: " + reason};
  }
  if (!reason.empty()) {
    logger.info("requests come through /dev/fuse, not through io_uring: {}", reason);
  }
  return {};
}

void wait_for_either(int first, int second) {
  std::array<pollfd, 2> events{{{.fd = first, .events = POLLIN, .revents = 0},
                                {.fd = second, .events = POLLIN, .revents = 0}}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

tl::expected<void, std::string> run_request_loop(RequestSource source, int shutdown, UniqueFd ready,
                                                 Tree& tree, spdlog::logger& logger) {
  auto reason = source.rings ? std::string{} : source.rings.error();
  const auto requests = std::make_shared<Requests>(
      std::move(source.device), tree, source.rings ? *std::move(source.rings) : nullptr);
  requests->served.owner = requests;
  if (requests->session == nullptr || !requests->ended) {
    return cannot("start the FUSE session", errno);
  }
  if (reason.empty() && source.choice != TransportChoice::classic &&
      requests->served.rings == nullptr) {
    reason = "this needs a libfuse that was built with custom I/O";
  }
  install_wake_signal_handler();
  const int received = answer_first_request(*requests, reason);
  if (received <= 0) {
    return received == 0 ? tl::expected<void, std::string>{}
                         : cannot("receive requests from /dev/fuse", -received);
  }
  if (auto chosen = register_rings(*requests, source.choice, reason, logger); !chosen) {
    return chosen;
  }
  // This fails only if the monitor has ended.
  static_cast<void>(::write(ready.get(), "", 1) == 1);
  ready = {};
  try {
    const RequestThreads threads{requests};
    wait_for_either(shutdown, requests->ended.get());
  } catch (const std::system_error& error) {
    return cannot("start a thread", error.code().value());
  }
  if (requests->error != 0) {
    return cannot("receive requests", requests->error);
  }
  return {};
}

}  // namespace hypeman::fs
