#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "fs/ring/buffers.hpp"
#include "fs/ring/uring.hpp"

namespace hypeman::fs {

/// One io_uring and the queues of the CPUs that it serves. The kernel puts a request into the queue
/// of the reader's CPU. An entry of the queue holds the request until it is answered. If all
/// entries hold one, the kernel keeps further requests of that CPU until an entry is free.
///
/// One thread calls the functions of the first group. The others are thread-safe.
class Ring {
 public:
  struct Queue {
    std::uint16_t cpu;
    std::size_t entries;
  };

  /// Answers the request in `message`, now or later, with answer().
  using Handler = std::function<void(std::span<std::byte> message)>;

  /// `number` tells the rings of a process apart. The thread of the ring should run on the CPU of
  /// the first queue.
  [[nodiscard]] static Result<std::unique_ptr<Ring>> create(int device, unsigned number,
                                                            const std::vector<Queue>& queues);

  /// Use create().
  Ring(Uring uring, Buffers buffers, unsigned number, std::vector<Queue> queues);

  // --- of the ring's thread ---

  /// Must be called first. The signal is blocked from now on, except while the ring waits.
  [[nodiscard]] Result<void> attach_thread(int wake_signal);
  /// Offers the entries to the kernel, which must have the answer to FUSE_INIT. EIO and others: no
  /// entry of a queue was accepted.
  [[nodiscard]] Result<void> register_entries();
  /// Serves requests until stop(). The error is one of the kernel that the ring cannot survive.
  [[nodiscard]] Result<void> serve(const Handler& handle);
  /// Whether one more request of this user may keep its entry while another thread works on it.
  /// False if few entries are free: they are for requests that are answered at once. Only while
  /// the handler runs.
  [[nodiscard]] bool may_answer_later() const;

  // --- of all threads ---

  /// Whether the calling thread is the ring's.
  [[nodiscard]] bool is_own_thread() const;
  /// Answers the request that has this `unique`. The errors are those of store_reply(); then an
  /// error is sent instead.
  [[nodiscard]] Result<void> answer(std::uint64_t unique, std::span<const iovec> reply);
  /// From now on, requests that arrive are not answered. Answers are still sent.
  void refuse_requests() { refuses_ = true; }
  /// serve() sends the answers that it has and returns.
  void stop();

  /// The ring to which a `unique` belongs. Nothing: the request came from /dev/fuse.
  [[nodiscard]] static std::optional<std::size_t> number_of(std::uint64_t unique);

 private:
  struct Entry {
    std::size_t queue = 0;                 // index in queues_
    std::atomic<bool> unanswered = false;  // holds a request that was given to the handler
    bool lost = false;                     // the kernel does not use it any more
    bool large = false;                    // the answer takes more than the first page
    bool keeps_memory = false;             // see release_memory()
    uid_t user = 0;                        // of the request
    std::uint64_t commit_id = 0;           // of the request
    Entry* next = nullptr;                 // in the list of answers
  };

  [[nodiscard]] std::size_t index_of(const Entry& entry) const;
  [[nodiscard]] std::uint64_t unique_of(std::size_t index) const;
  [[nodiscard]] Result<void> add(const RingCommand& command);
  void take_completions();
  void receive(std::size_t index, const Handler& handle);
  void push_answer(Entry& entry);
  [[nodiscard]] Result<void> commit_answers();
  void release_memory();
  void return_to_cpu();
  void bind_to_cpu();
  void wake() const;

  const unsigned number_;
  const std::vector<Queue> queues_;
  Buffers buffers_;
  std::vector<Entry> entries_;

  // of the ring's thread
  Uring uring_;
  std::unique_ptr<std::byte[]> message_;  // NOLINT(*-avoid-c-arrays): not initialized
  sigset_t waiting_mask_{};
  std::chrono::steady_clock::time_point bound_at_;
  std::vector<std::size_t> received_;  // entries with new requests
  std::size_t current_ = 0;            // the entry of the request in work
  int error_ = 0;                      // of a command, unexpected
  std::vector<std::size_t> large_;     // entries whose large answer is committed next
  std::size_t memory_kept_ = 0;

  std::atomic<std::thread::id> thread_;
  std::atomic<pid_t> thread_number_ = 0;
  std::atomic<int> wake_signal_ = 0;
  std::atomic<Entry*> answers_ = nullptr;  // a list; any thread adds one, the ring's takes all
  std::atomic<bool> refuses_ = false;
  std::atomic<bool> stopped_ = false;
};

}  // namespace hypeman::fs
