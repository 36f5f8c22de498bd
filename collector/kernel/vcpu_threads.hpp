#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.hpp"

namespace hypeman::collector {

/// The times of a vCPU since the process started. They never fall, also if the thread of the vCPU
/// ends.
struct VcpuTimes {
  unsigned number = 0;
  std::uint64_t run_nanoseconds = 0;   ///< on a CPU of the host
  std::uint64_t wait_nanoseconds = 0;  ///< ready to run, without a CPU of the host

  bool operator==(const VcpuTimes&) const = default;
};

/// The threads of one process that run vCPUs. A thread is known by its name, which holds the number
/// of its vCPU: "vcpu0" (Cloud Hypervisor), "fc_vcpu 0" (Firecracker), "CPU 0/KVM" (QEMU with
/// debug-threads=on). If no thread has such a name, and as many threads as the VM has vCPUs have
/// run guest code (field 43 of /proc/<pid>/task/<tid>/stat), these are its vCPUs in the order of
/// their creation. The threads are found once and kept. They are looked for again at most once per
/// second, and only while some are missing or have ended. Thread-safe.
class VcpuThreads {
 public:
  /// More than any hypervisor of Hypeman allows. It bounds what a VM with absurd metadata can cost.
  static constexpr unsigned max_vcpus = 256;
  using Clock = std::chrono::steady_clock;

  /// Tests replace the clock.
  explicit VcpuThreads(std::function<Clock::time_point()> now = Clock::now);
  VcpuThreads(const VcpuThreads&) = delete;
  VcpuThreads& operator=(const VcpuThreads&) = delete;
  VcpuThreads(VcpuThreads&&) = delete;
  VcpuThreads& operator=(VcpuThreads&&) = delete;
  ~VcpuThreads();

  /// Reads the times of the vCPUs with the numbers below `count`, but not of more than max_vcpus.
  /// Sorted by number. Empty: the threads of the vCPUs are not known. `process` is a descriptor of
  /// /proc/<pid>.
  [[nodiscard]] Result<std::vector<VcpuTimes>> read(int process, std::uint64_t count) const;

  /// How many files are open.
  [[nodiscard]] std::size_t descriptors() const;

 private:
  class Thread;
  using Threads = std::vector<std::shared_ptr<Thread>>;  // sorted by number

  [[nodiscard]] static Result<Threads> find(int process, unsigned count);
  [[nodiscard]] std::shared_ptr<const Threads> known(unsigned count, bool& may_look) const;
  [[nodiscard]] std::shared_ptr<const Threads> add(Threads found) const;

  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;  // not held while a file is read
  mutable std::shared_ptr<const Threads> threads_ = std::make_shared<const Threads>();
  mutable std::optional<Clock::time_point> looked_;  // when the threads were looked for
};

}  // namespace hypeman::collector
