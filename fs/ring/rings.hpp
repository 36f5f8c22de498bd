#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "base/result.hpp"

/// FUSE over io_uring (Linux 6.14): the kernel gives a request to a thread on the reader's own CPU,
/// so no other CPU has to wake up. Debian's libfuse cannot do this yet. When it can, this directory
/// can be deleted. docs/development.md describes the sequence.
namespace hypeman::fs {

/// The rings of a FUSE connection and their threads. FUSE_INIT, FORGET and INTERRUPT still come
/// through /dev/fuse. Thread-safe.
class Rings {
 public:
  struct Callbacks {
    /// Answers a request of the classic form. Called by the ring's thread; must not throw.
    std::function<void(std::span<std::byte> message)> handle;
    /// A ring has ended with this errno. Its readers get no answer any more.
    std::function<void(int error)> failed;
  };

  Rings() = default;
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  Rings(Rings&&) = delete;
  Rings& operator=(Rings&&) = delete;
  virtual ~Rings() = default;

  /// A request that comes through a ring has a `unique` with which answer() finds the ring again.
  [[nodiscard]] virtual bool owns(std::uint64_t unique) const = 0;

  /// No request and no answer has more than its header and this many bytes. FUSE_INIT must be
  /// answered with a max_write that is not larger.
  [[nodiscard]] virtual std::size_t payload_size() const = 0;

  /// Starts the threads. They keep `owner`, which owns this object and all that the callbacks use:
  /// nobody can wait for a thread that hangs in the kernel. On an error, none of them runs.
  [[nodiscard]] virtual Result<void> start(std::shared_ptr<void> owner, Callbacks callbacks,
                                           int wake_signal) = 0;

  /// Call this when FUSE_INIT is answered with the offer of a ring. Until this returns, readers
  /// wait. An error: the kernel does not accept the rings, and sends all requests to /dev/fuse.
  /// ETIMEDOUT: it is not known whether readers still wait.
  [[nodiscard]] virtual Result<void> register_with_kernel() = 0;

  /// Whether the request that the calling thread handles may be answered later by another thread.
  /// False if too many requests of the user or of this CPU are. True if it did not come through a
  /// ring.
  [[nodiscard]] virtual bool may_answer_later() const = 0;

  /// Answers a request. `reply` starts with its fuse_out_header. The kernel has not taken the
  /// answer yet when this returns. ENOENT: there is no such request.
  [[nodiscard]] virtual Result<void> answer(std::uint64_t unique, std::span<const iovec> reply) = 0;

  /// From now on, requests that arrive are not answered. Answers are still sent.
  virtual void refuse_requests() = 0;

  /// Sends the last answers and ends the threads. False: after the deadline, some still run.
  virtual bool stop(std::chrono::steady_clock::time_point deadline) = 0;
};

/// Makes the rings for `device`, a descriptor of /dev/fuse. They are restricted so that a sandboxed
/// process may keep them. Must be called before the sandbox is entered and before the first thread
/// starts. The error is one line that says what is missing and how to get it.
[[nodiscard]] tl::expected<std::unique_ptr<Rings>, std::string> make_rings(int device);

}  // namespace hypeman::fs
