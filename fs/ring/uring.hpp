#pragma once

#include <sys/uio.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>

#include <liburing.h>

#include "base/result.hpp"

namespace hypeman::fs {

/// A command of FUSE to its device, for one entry of a queue.
struct RingCommand {
  enum class Operation : std::uint32_t { register_entry = 1, commit_and_fetch = 2 };
  Operation operation;
  std::uint16_t queue;
  std::uint64_t commit_id;             ///< of the request that is answered
  const std::array<iovec, 2>* memory;  ///< for register_entry: the header and the payload
  std::uint64_t entry;                 ///< comes back with the completion
};

/// The end of a command. 0: the entry has received a request. Otherwise a negative errno: the entry
/// receives no more requests.
struct RingCompletion {
  std::uint64_t entry;
  int result;
};

/// An io_uring that is restricted to commands to one device: the kernel refuses any other
/// operation, any other file and any change of the restrictions. A sandboxed process may keep it.
/// The kernel gives requests to the thread that has submitted the entry's last command. So one
/// thread must submit all of them, and the entries end with that thread. Not thread-safe.
class Uring {
 public:
  /// `device` is a descriptor of /dev/fuse. The ring keeps the file open. `submissions` is how many
  /// commands can wait for submit(), `completions` how many can have ended before they are taken.
  [[nodiscard]] static Result<Uring> create(int device, unsigned submissions, unsigned completions);

  /// False: too many commands wait; call submit() first.
  [[nodiscard]] bool add(const RingCommand& command);

  /// Submits the added commands. Does not wait for a completion. EAGAIN, ENOMEM: the kernel has no
  /// memory for some of them; they are submitted by the next call.
  [[nodiscard]] Result<void> submit();

  /// Submits, then waits until there is a completion. While it waits, the signal mask is `mask`.
  /// Returns early after a signal handler has run. Errors as above.
  [[nodiscard]] Result<void> submit_and_wait(const sigset_t& mask);

  /// The oldest completion. Each one is returned once.
  [[nodiscard]] std::optional<RingCompletion> take();

  /// The ring of liburing. The restrictions hold for all that is done with it.
  [[nodiscard]] io_uring& raw() { return *ring_; }

 private:
  struct Exit {
    void operator()(io_uring* ring) const;
  };
  using Handle = std::unique_ptr<io_uring, Exit>;

  explicit Uring(Handle ring) : ring_{std::move(ring)} {}
  [[nodiscard]] Result<void> restrict_to(int device);
  [[nodiscard]] Result<void> enter(unsigned completions, const sigset_t* mask);

  Handle ring_;
};

}  // namespace hypeman::fs
