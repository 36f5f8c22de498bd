#include "fs/ring/affinity.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace hypeman::fs {
namespace {

/// A set of any number of CPUs. The kernel demands room for all CPUs that it knows.
class CpuSet {
 public:
  explicit CpuSet(std::size_t cpus) : words_(CPU_ALLOC_SIZE(cpus) / sizeof(unsigned long)) {}

  /// The CPUs of the process. Empty if they cannot be read.
  static CpuSet of_process() {
    constexpr std::size_t most = std::size_t{1} << 16U;
    std::size_t cpus = CPU_SETSIZE;
    CpuSet set{cpus};
    while (::sched_getaffinity(::getpid(), set.size(), set.get()) != 0 && errno == EINVAL &&
           cpus < most) {
      cpus *= 2;
      set = CpuSet{cpus};
    }
    return set;
  }

  [[nodiscard]] bool contains(unsigned cpu) { return CPU_ISSET_S(cpu, size(), get()); }
  void add(unsigned cpu) { CPU_SET_S(cpu, size(), get()); }
  void apply_to_this_thread() { static_cast<void>(::sched_setaffinity(0, size(), get())); }

 private:
  [[nodiscard]] std::size_t size() const { return words_.size() * sizeof(unsigned long); }
  [[nodiscard]] cpu_set_t* get() { return reinterpret_cast<cpu_set_t*>(words_.data()); }

  std::vector<unsigned long> words_;
};

}  // namespace

void run_on_cpu(unsigned cpu) {
  auto of_process = CpuSet::of_process();
  if (!of_process.contains(cpu)) {
    of_process.apply_to_this_thread();
    return;
  }
  CpuSet one{std::size_t{cpu} + 1};
  one.add(cpu);
  one.apply_to_this_thread();
}

void run_on_any_cpu() {
  CpuSet::of_process().apply_to_this_thread();
}

}  // namespace hypeman::fs
