#include "fs/ring/rings.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "fs/ring/buffers.hpp"
#include "fs/ring/cpus.hpp"
#include "fs/ring/ring.hpp"

namespace hypeman::fs {
namespace {

// A ring has a thread. The CPUs of a larger machine share rings.
constexpr unsigned max_rings = 128;
// The memory of a CPU under load: each entry takes a page for its header and a short payload
// (96 * 4 KiB), four entries keep 7 pages more (112 KiB), and the ring itself takes 12 KiB: 508 KiB
// and the stack of the thread. An idle entry that was never used takes none.
constexpr std::size_t entries_of_cpu = 96;
// Of a CPU that is possible but not present.
constexpr std::size_t entries_of_absent_cpu = 6;
// Threads that the daemon needs for other things. The rings must not take the last ones.
constexpr std::size_t spare_threads = 16;
constexpr std::chrono::seconds registration_timeout{5};

/// Whether this many more threads can run at the same time. The error is that of the first one that
/// cannot be started.
Result<void> try_threads(std::size_t count) {
  int error = 0;
  std::latch tried{1};
  std::vector<std::jthread> threads;
  try {
    while (threads.size() < count) {
      threads.emplace_back([&tried] { tried.wait(); });
    }
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  tried.count_down();
  return error == 0 ? Result<void>{} : failure(error);
}

/// The queue of CPU n is in ring n modulo the number of rings.
std::vector<std::vector<Ring::Queue>> distribute(const Cpus& cpus) {
  std::vector<std::vector<Ring::Queue>> rings(std::min(cpus.present, max_rings));
  for (unsigned cpu = 0; cpu < cpus.possible; ++cpu) {
    rings[cpu % rings.size()].push_back(
        {.cpu = static_cast<std::uint16_t>(cpu),
         .entries = cpu < cpus.present ? entries_of_cpu : entries_of_absent_cpu});
  }
  return rings;
}

class UringRings final : public Rings {
 public:
  explicit UringRings(std::vector<std::unique_ptr<Ring>> rings) : rings_{std::move(rings)} {}

  [[nodiscard]] bool owns(std::uint64_t unique) const override {
    const auto number = Ring::number_of(unique);
    return number && *number < rings_.size();
  }

  [[nodiscard]] std::size_t payload_size() const override { return Buffers::payload_size(); }

  [[nodiscard]] Result<void> start(std::shared_ptr<void> owner, Callbacks callbacks,
                                   int wake_signal) override {
    callbacks_ = std::move(callbacks);
    wake_signal_ = wake_signal;
    try {
      for (const auto& ring : rings_) {
        {
          const std::lock_guard lock{mutex_};
          ++running_;
        }
        std::thread{[this, owner, &ring = *ring] { run(ring); }}.detach();
      }
      if (const auto enough = try_threads(spare_threads); !enough) {
        end_start(enough.error().value());
      }
    } catch (const std::system_error& error) {
      {
        const std::lock_guard lock{mutex_};
        --running_;
      }
      end_start(error.code().value());
    }
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return attached_ == rings_.size() || error_ != 0; });
    if (error_ == 0) {
      return {};
    }
    changed_.wait(lock, [this] { return running_ == 0; });
    return failure(error_);
  }

  [[nodiscard]] Result<void> register_with_kernel() override {
    std::unique_lock lock{mutex_};
    phase_ = Phase::registering;
    changed_.notify_all();
    if (!changed_.wait_for(lock, registration_timeout,
                           [this] { return registered_ == rings_.size(); })) {
      return failure(ETIMEDOUT);
    }
    return error_ == 0 ? Result<void>{} : failure(error_);
  }

  [[nodiscard]] bool may_answer_later() const override {
    const auto own = std::ranges::find_if(rings_, [](const auto& r) { return r->is_own_thread(); });
    return own == rings_.end() || (*own)->may_answer_later();
  }

  [[nodiscard]] Result<void> answer(std::uint64_t unique, std::span<const iovec> reply) override {
    return rings_.at(*Ring::number_of(unique))->answer(unique, reply);
  }

  void refuse_requests() override {
    for (const auto& ring : rings_) {
      ring->refuse_requests();
    }
  }

  bool stop(std::chrono::steady_clock::time_point deadline) override {
    for (const auto& ring : rings_) {
      ring->stop();
    }
    std::unique_lock lock{mutex_};
    phase_ = Phase::stopped;
    changed_.notify_all();
    return changed_.wait_until(lock, deadline, [this] { return running_ == 0; });
  }

 private:
  enum class Phase { starting, registering, stopped };

  void end_start(int error) {
    const std::lock_guard lock{mutex_};
    error_ = error;
    phase_ = Phase::stopped;
    changed_.notify_all();
  }

  /// A thread of a ring.
  void run(Ring& ring) {
    try {
      if (const auto attached = ring.attach_thread(wake_signal_); attached) {
        serve(ring);
      } else {
        end_start(attached.error().value());
      }
    } catch (const std::exception&) {
      end_start(ENOMEM);
      callbacks_.failed(ENOMEM);  // the readers of this ring would wait for ever
    }
    const std::lock_guard lock{mutex_};
    --running_;
    changed_.notify_all();
  }

  void serve(Ring& ring) {
    {
      std::unique_lock lock{mutex_};
      ++attached_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return phase_ != Phase::starting; });
      if (phase_ == Phase::stopped) {
        return;
      }
    }
    const auto registered = ring.register_entries();
    {
      const std::lock_guard lock{mutex_};
      ++registered_;
      if (!registered) {
        error_ = registered.error().value();
      }
      changed_.notify_all();
    }
    // Also after an error: the kernel may still use the entries that it has accepted.
    if (const auto served = ring.serve(callbacks_.handle); !served) {
      callbacks_.failed(served.error().value());
    }
  }

  const std::vector<std::unique_ptr<Ring>> rings_;
  Callbacks callbacks_;
  int wake_signal_ = 0;

  std::mutex mutex_;  // not held over a system call of a ring
  std::condition_variable changed_;
  Phase phase_ = Phase::starting;
  std::size_t running_ = 0;     // threads
  std::size_t attached_ = 0;    // threads that were started completely
  std::size_t registered_ = 0;  // threads that have tried to register
  int error_ = 0;
};

/// Why the FUSE of this kernel offers no ring, and what the user can do. Nothing if it does.
std::optional<std::string> reason_of_module() {
  const auto directory = open_directory("/sys/module/fuse/parameters");
  const auto file = directory.and_then(
      [](const UniqueFd& opened) { return open_kernel_file(opened.get(), "enable_uring"); });
  if (!file) {
    return "the kernel does not have FUSE over io_uring; it needs Linux 6.14";
  }
  std::array<char, 16> buffer{};
  const auto value = read_snapshot(file->get(), buffer);
  if (!value || !value->starts_with('Y')) {
    return "the module parameter fuse.enable_uring is off; to set it: "
           "echo Y > /sys/module/fuse/parameters/enable_uring; to keep it after a reboot: "
           "echo options fuse enable_uring=1 > /etc/modprobe.d/fuse.conf";
  }
  return std::nullopt;
}

}  // namespace

tl::expected<std::unique_ptr<Rings>, std::string> make_rings(int device) {
  if (auto reason = reason_of_module()) {
    return tl::unexpected{*std::move(reason)};
  }
  const auto cpus = read_cpus();
  if (!cpus) {
    return tl::unexpected{"cannot read /sys/devices/system/cpu: " + cpus.error().message()};
  }
  const auto queues = distribute(*cpus);
  std::vector<std::unique_ptr<Ring>> rings;
  for (unsigned number = 0; number < queues.size(); ++number) {
    auto ring = Ring::create(device, number, queues[number]);
    if (!ring) {
      const bool forbidden = ring.error().value() == EPERM;
      return tl::unexpected{
          "cannot create an io_uring: " + ring.error().message() +
          (forbidden ? "; allow it with the sysctl kernel.io_uring_disabled=0 and with the seccomp "
                       "policy of the service or container"
                     : "; raise the limits on memory and open files")};
    }
    rings.push_back(*std::move(ring));
  }
  return std::make_unique<UringRings>(std::move(rings));
}

}  // namespace hypeman::fs
