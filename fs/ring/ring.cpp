#include "fs/ring/ring.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

#include <pthread.h>

#include "fs/ring/affinity.hpp"
#include "fs/ring/message.hpp"

namespace hypeman::fs {
namespace {

// Commands that wait for one system call. More take another call.
constexpr unsigned max_submissions = 64;
// Entries that keep the memory of a large answer, because the kernel uses an entry again that it
// has just used.
constexpr std::size_t max_memory_kept = 4;
constexpr std::chrono::seconds rebinding_interval{1};
constexpr std::chrono::milliseconds retry_interval{1};

// The kernel counts the requests from 1. So it never uses the highest bit, and it uses the lowest
// bit for interrupts.
constexpr std::uint64_t ring_flag = std::uint64_t{1} << 63U;
constexpr unsigned number_shift = 32;
constexpr unsigned index_shift = 1;

/// The connection has ended, and so has the entry.
bool is_end_of_connection(int error) {
  return error == ENOTCONN || error == ECONNABORTED || error == ECANCELED;
}

/// The kernel has no memory for it at the moment.
bool is_transient(int error) {
  return error == EAGAIN || error == ENOMEM;
}

std::size_t count_entries(std::span<const Ring::Queue> queues) {
  return std::accumulate(
      queues.begin(), queues.end(), std::size_t{0},
      [](std::size_t sum, const Ring::Queue& queue) { return sum + queue.entries; });
}

/// Repeats a system call on a ring while the kernel has no memory for it.
template <class Call>
Result<void> persist(Call call) {
  auto done = call();
  while (!done && is_transient(done.error().value())) {
    std::this_thread::sleep_for(retry_interval);
    done = call();
  }
  return done;
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::create(int device, unsigned number,
                                           const std::vector<Queue>& queues) {
  const auto entries = count_entries(queues);
  auto uring = Uring::create(device, max_submissions, static_cast<unsigned>(entries));
  if (!uring) {
    return tl::unexpected{uring.error()};
  }
  auto buffers = Buffers::create(entries);
  if (!buffers) {
    return tl::unexpected{buffers.error()};
  }
  return std::make_unique<Ring>(*std::move(uring), *std::move(buffers), number, queues);
}

Ring::Ring(Uring uring, Buffers buffers, unsigned number, std::vector<Queue> queues)
    : number_{number},
      queues_{std::move(queues)},
      buffers_{std::move(buffers)},
      entries_(count_entries(queues_)),
      uring_{std::move(uring)} {
  std::size_t next = 0;
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    for (std::size_t count = 0; count < queues_[queue].entries; ++count) {
      entries_[next++].queue = queue;
    }
  }
  received_.reserve(entries_.size());
  large_.reserve(entries_.size());
}

std::size_t Ring::index_of(const Entry& entry) const {
  return static_cast<std::size_t>(&entry - entries_.data());
}

std::uint64_t Ring::unique_of(std::size_t index) const {
  return ring_flag | std::uint64_t{number_} << number_shift | std::uint64_t{index} << index_shift;
}

std::optional<std::size_t> Ring::number_of(std::uint64_t unique) {
  return (unique & ring_flag) == 0 ? std::nullopt
                                   : std::optional{(unique & ~ring_flag) >> number_shift};
}

Result<void> Ring::attach_thread(int wake_signal) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, wake_signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &signals, &waiting_mask_); error != 0) {
    return failure(error);
  }
  ::sigdelset(&waiting_mask_, wake_signal);
  // NOLINTNEXTLINE(*-avoid-c-arrays): a vector would initialize it, which takes memory
  message_ = std::make_unique_for_overwrite<std::byte[]>(max_message_size(Buffers::payload_size()));
  wake_signal_ = wake_signal;
  thread_ = std::this_thread::get_id();
  thread_number_ = ::gettid();
  bind_to_cpu();
  // Fails if a security policy forbids the system call.
  return uring_.submit();
}

void Ring::bind_to_cpu() {
  bound_at_ = std::chrono::steady_clock::now();
  run_on_cpu(queues_.front().cpu);
}

/// The kernel moves the thread away when its CPU goes offline, and does not move it back.
void Ring::return_to_cpu() {
  if (::sched_getcpu() != queues_.front().cpu &&
      std::chrono::steady_clock::now() - bound_at_ >= rebinding_interval) {
    bind_to_cpu();
  }
}

Result<void> Ring::add(const RingCommand& command) {
  while (!uring_.add(command)) {
    if (auto submitted = persist([this] { return uring_.submit(); }); !submitted) {
      return submitted;
    }
  }
  return {};
}

Result<void> Ring::register_entries() {
  // The kernel reads the addresses before submit() returns.
  std::vector<std::array<iovec, 2>> memory(entries_.size());
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    memory[index] = buffers_.memory(index);
    const auto added = add({.operation = RingCommand::Operation::register_entry,
                            .queue = queues_[entries_[index].queue].cpu,
                            .commit_id = 0,
                            .memory = &memory[index],
                            .entry = index});
    if (!added) {
      return added;
    }
  }
  if (auto submitted = persist([this] { return uring_.submit(); }); !submitted) {
    return submitted;
  }
  take_completions();
  const int error = std::exchange(error_, 0);
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    if (std::ranges::none_of(entries_, [queue](const Entry& entry) {
          return entry.queue == queue && !entry.lost;
        })) {
      return failure(error == 0 ? ENOTCONN : error);
    }
  }
  return {};
}

void Ring::take_completions() {
  while (const auto completion = uring_.take()) {
    if (completion->result >= 0) {
      received_.push_back(completion->entry);
      continue;
    }
    entries_[completion->entry].lost = true;
    if (!is_end_of_connection(-completion->result)) {
      error_ = -completion->result;
    }
  }
}

Result<void> Ring::serve(const Handler& handle) {
  for (;;) {
    for (const auto index : received_) {
      receive(index, handle);
    }
    received_.clear();
    // Before the answers are taken, so that the last ones are sent.
    const bool stopped = stopped_;
    if (auto committed = commit_answers(); !committed) {
      return committed;
    }
    const auto entered =
        persist([&] { return stopped ? uring_.submit() : uring_.submit_and_wait(waiting_mask_); });
    if (!entered || stopped) {
      return entered;
    }
    release_memory();
    take_completions();
    if (error_ != 0) {
      return failure(error_);
    }
    return_to_cpu();
  }
}

void Ring::receive(std::size_t index, const Handler& handle) {
  auto& entry = entries_[index];
  const auto& header = buffers_.header(index);
  entry.user = user_of(header);
  entry.commit_id = header.commit_id;
  if (refuses_) {
    return;  // the end of the process ends the request
  }
  entry.unanswered = true;
  const std::span message{message_.get(), max_message_size(Buffers::payload_size())};
  const auto size = copy_request(header, buffers_.payload(index), unique_of(index), message);
  if (size) {
    current_ = index;
    handle(message.first(*size));
  } else if (entry.unanswered.exchange(false)) {
    store_error(size.error().value(), buffers_.header(index));
    push_answer(entry);
  }
}

bool Ring::may_answer_later() const {
  const auto& current = entries_[current_];
  const auto all = queues_[current.queue].entries;
  std::size_t waiting = 0;
  std::size_t waiting_of_user = 0;
  for (const auto& entry : entries_) {
    if (entry.unanswered && entry.queue == current.queue) {
      ++waiting;
      waiting_of_user += entry.user == current.user ? 1 : 0;
    }
  }
  return waiting <= all - all / 6 && waiting_of_user <= all - all / 3;
}

bool Ring::is_own_thread() const {
  return thread_.load() == std::this_thread::get_id();
}

Result<void> Ring::answer(std::uint64_t unique, std::span<const iovec> reply) {
  constexpr std::uint64_t index_mask = (std::uint64_t{1} << number_shift) - 1;
  const auto index = static_cast<std::size_t>((unique & index_mask) >> index_shift);
  // An entry has only one request at a time, and a request has only one answer.
  if (index >= entries_.size() || !entries_[index].unanswered.exchange(false)) {
    return failure(ENOENT);
  }
  auto& entry = entries_[index];
  auto& header = buffers_.header(index);
  const auto stored = store_reply(reply, header, buffers_.payload(index));
  if (stored) {
    entry.large = Buffers::is_large(*stored);
  } else {
    store_error(EIO, header);
  }
  push_answer(entry);
  if (!is_own_thread()) {
    wake();
  }
  return stored ? Result<void>{} : tl::unexpected{stored.error()};
}

void Ring::push_answer(Entry& entry) {
  entry.next = answers_.load(std::memory_order_relaxed);
  while (!answers_.compare_exchange_weak(entry.next, &entry)) {
  }
}

Result<void> Ring::commit_answers() {
  auto* entry = answers_.exchange(nullptr);
  while (entry != nullptr) {
    auto* const next = entry->next;
    const auto index = index_of(*entry);
    if (std::exchange(entry->large, false)) {
      large_.push_back(index);
    }
    const auto added = add({.operation = RingCommand::Operation::commit_and_fetch,
                            .queue = queues_[entry->queue].cpu,
                            .commit_id = entry->commit_id,
                            .memory = nullptr,
                            .entry = index});
    if (!added) {
      return added;
    }
    entry = next;
  }
  return {};
}

/// Gives back the memory of the large answers that the kernel has taken, except that of a few
/// entries. The entry may already hold the next request. All of that is in the first page, because
/// no request of a read-only file system has a payload as large as a page, except ioctl(2), which
/// fails anyway.
void Ring::release_memory() {
  for (const auto index : large_) {
    auto& entry = entries_[index];
    if (!entry.keeps_memory && memory_kept_ < max_memory_kept) {
      entry.keeps_memory = true;
      ++memory_kept_;
    }
    if (!entry.keeps_memory) {
      buffers_.release_large(index);
    }
  }
  large_.clear();
}

/// The signal interrupts only the wait. If the ring does not wait, its next wait ends at once.
void Ring::wake() const {
  if (const auto thread = thread_number_.load(); thread != 0) {
    static_cast<void>(::tgkill(::getpid(), thread, wake_signal_));
  }
}

void Ring::stop() {
  stopped_ = true;
  wake();
}

}  // namespace hypeman::fs
