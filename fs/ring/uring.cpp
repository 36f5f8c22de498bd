#include "fs/ring/uring.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

namespace hypeman::fs {
namespace {

/// struct fuse_uring_cmd_req of Linux 6.14, in the second half of a large submission entry.
struct CommandArea {
  std::uint64_t flags;
  std::uint64_t commit_id;
  std::uint16_t queue;
  std::array<std::uint8_t, 6> padding;
};
static_assert(sizeof(CommandArea) == 24);

constexpr int device_index = 0;  // of the only registered file

/// liburing 2.3 declares functions for some operations, but does not export them.
Result<void> register_with(int ring, unsigned operation, const void* argument, unsigned count) {
  return ::syscall(SYS_io_uring_register, ring, operation, argument, count) < 0 ? last_failure()
                                                                                : Result<void>{};
}

}  // namespace

void Uring::Exit::operator()(io_uring* ring) const {
  ::io_uring_queue_exit(ring);
  const std::unique_ptr<io_uring> memory{ring};
}

Result<Uring> Uring::create(int device, unsigned submissions, unsigned completions) {
  io_uring_params parameters{};
  // COOP_TASKRUN: a request does not interrupt the thread while it answers another one.
  parameters.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_R_DISABLED;
  parameters.cq_entries = completions;
  auto memory = std::make_unique<io_uring>();
  const int error = ::io_uring_queue_init_params(submissions, memory.get(), &parameters);
  if (error < 0) {
    return failure(-error);
  }
  Uring uring{Handle{memory.release()}};
  // The order of submission never changes, so the index array never does either. liburing 2.5 and
  // newer make a ring without it if the kernel can do that.
  if (auto& queue = uring.ring_->sq; queue.array != nullptr) {
    const std::span index{queue.array, queue.ring_entries};
    for (unsigned position = 0; position < queue.ring_entries; ++position) {
      index[position] = position;
    }
  }
  if (const auto restricted = uring.restrict_to(device); !restricted) {
    return tl::unexpected{restricted.error()};
  }
  return uring;
}

Result<void> Uring::restrict_to(int device) {
  const auto restriction = [](std::uint16_t kind, std::uint8_t value) {
    io_uring_restriction result{};
    result.opcode = kind;
    result.sqe_op = value;  // shares its place with sqe_flags
    return result;
  };
  const std::array restrictions{
      restriction(IORING_RESTRICTION_SQE_OP, IORING_OP_URING_CMD),
      restriction(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_FIXED_FILE),
      restriction(IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IOSQE_FIXED_FILE),
  };
  const int ring = ring_->ring_fd;
  return register_with(ring, IORING_REGISTER_FILES, &device, 1)
      .and_then([&] {
        return register_with(ring, IORING_REGISTER_RESTRICTIONS, restrictions.data(),
                             restrictions.size());
      })
      .and_then([&] { return register_with(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0); });
}

bool Uring::add(const RingCommand& command) {
  auto* const submission = ::io_uring_get_sqe(ring_.get());
  if (submission == nullptr) {
    return false;
  }
  constexpr std::size_t large_submission = 128;
  std::memset(submission, 0, large_submission);
  submission->opcode = IORING_OP_URING_CMD;
  submission->flags = IOSQE_FIXED_FILE;
  submission->fd = device_index;
  submission->cmd_op = static_cast<std::uint32_t>(command.operation);
  if (command.memory != nullptr) {
    submission->addr = reinterpret_cast<std::uintptr_t>(command.memory->data());
    submission->len = static_cast<std::uint32_t>(command.memory->size());
  }
  submission->user_data = command.entry;
  const CommandArea area{
      .flags = 0, .commit_id = command.commit_id, .queue = command.queue, .padding = {}};
  // In a large submission entry, the area is larger than the structure says.
  std::memcpy(reinterpret_cast<std::byte*>(submission) + offsetof(io_uring_sqe, cmd), &area,
              sizeof area);
  return true;
}

Result<void> Uring::submit() {
  return enter(0, nullptr);
}

Result<void> Uring::submit_and_wait(const sigset_t& mask) {
  return enter(1, &mask);
}

/// io_uring_submit_and_wait_timeout() would wait again after a signal that arrives while it
/// submits. So this makes the system call itself.
Result<void> Uring::enter(unsigned completions, const sigset_t* mask) {
  auto& queue = ring_->sq;
  io_uring_smp_store_release(queue.ktail, queue.sqe_tail);
  queue.sqe_head = queue.sqe_tail;
  const auto submitted = queue.sqe_tail - io_uring_smp_load_acquire(queue.khead);
  // liburing's parameter is not const; the kernel only reads it.
  auto* const signals = const_cast<sigset_t*>(mask);  // NOLINT(*-const-cast)
  const int result = ::io_uring_enter(static_cast<unsigned>(ring_->ring_fd), submitted, completions,
                                      IORING_ENTER_GETEVENTS, signals);
  if (result < 0 && result != -EINTR) {
    return failure(-result);
  }
  return io_uring_smp_load_acquire(queue.khead) == queue.sqe_tail ? Result<void>{}
                                                                  : failure(EAGAIN);
}

std::optional<RingCompletion> Uring::take() {
  auto& queue = ring_->cq;
  const unsigned head = *queue.khead;
  if (head == io_uring_smp_load_acquire(queue.ktail)) {
    return std::nullopt;
  }
  const std::span completions{queue.cqes, queue.ring_entries};
  const auto& completion = completions[head & queue.ring_mask];
  const RingCompletion taken{.entry = completion.user_data, .result = completion.res};
  io_uring_smp_store_release(queue.khead, head + 1);
  return taken;
}

}  // namespace hypeman::fs
