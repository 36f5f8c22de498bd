#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/hypeman/disk.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/proc_pid_status.hpp"
#include "collector/kernel/procfs.hpp"
#include "collector/kernel/sys_class_net.hpp"
#include "collector/kernel/vcpu_threads.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// The files and clocks from which a sample is read. Each statistic lists those it needs.
enum class Source : std::uint8_t {
  proc_stat,    ///< /proc/<pid>/stat
  proc_statm,   ///< /proc/<pid>/statm
  proc_status,  ///< /proc/<pid>/status
  schedstat,    ///< /proc/<pid>/task/<tid>/schedstat of the threads that run vCPUs
  boot_time,    ///< CLOCK_REALTIME - CLOCK_BOOTTIME
  disk,         ///< stat(2) of the writable disk
  snapshot,     ///< whether a VM that does not run has a snapshot
  // /sys/class/net/<TAP>/statistics/<counter>, in the order of InterfaceCounter
  tap_rx_bytes,
  tap_tx_bytes,
  tap_rx_packets,
  tap_tx_packets,
  tap_rx_errors,
  tap_tx_errors,
  tap_rx_dropped,
  tap_tx_dropped,
};

[[nodiscard]] constexpr Source source_of(InterfaceCounter counter) {
  return static_cast<Source>(static_cast<unsigned>(Source::tap_rx_bytes) +
                             static_cast<unsigned>(counter));
}
static_assert(source_of(InterfaceCounter::tx_dropped) == Source::tap_tx_dropped);

/// A set of sources.
class Sources {
 public:
  constexpr Sources() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): one source is a set of one
  constexpr Sources(Source source) : bits_{1U << static_cast<unsigned>(source)} {}

  [[nodiscard]] constexpr bool has(Source source) const { return (*this & source).any(); }
  [[nodiscard]] constexpr bool any() const { return bits_ != 0; }

  friend constexpr Sources operator|(Sources a, Sources b) { return Sources{a.bits_ | b.bits_}; }
  friend constexpr Sources operator&(Sources a, Sources b) { return Sources{a.bits_ & b.bits_}; }
  bool operator==(const Sources&) const = default;

 private:
  constexpr explicit Sources(unsigned bits) : bits_{bits} {}

  unsigned bits_ = 0;
};

constexpr Sources operator|(Source a, Source b) {
  return Sources{a} | Sources{b};
}

inline constexpr Sources process_sources =
    Source::proc_stat | Source::proc_statm | Source::proc_status | Source::schedstat;
inline constexpr Sources tap_sources =
    Source::tap_rx_bytes | Source::tap_tx_bytes | Source::tap_rx_packets | Source::tap_tx_packets |
    Source::tap_rx_errors | Source::tap_tx_errors | Source::tap_rx_dropped | Source::tap_tx_dropped;

/// The counters of a TAP, from the host's point of view.
class TapCounters {
 public:
  TapCounters() { counters_.fill(std::uint64_t{0}); }

  [[nodiscard]] Result<std::uint64_t>& operator[](InterfaceCounter counter) {
    return counters_.at(static_cast<std::size_t>(counter));
  }
  [[nodiscard]] const Result<std::uint64_t>& operator[](InterfaceCounter counter) const {
    return counters_.at(static_cast<std::size_t>(counter));
  }

 private:
  std::array<Result<std::uint64_t>, interface_counters> counters_;
};

/// One measurement of one VM. Holds the requested sources, all read together. If the VM does not
/// run, all numbers of its process and its network are 0. If a source cannot be read, it holds the
/// error.
struct Sample {
  std::shared_ptr<const VmRecord> record;  ///< never null
  std::chrono::system_clock::time_point time;
  /// The time when the host was booted, by the wall clock.
  std::chrono::system_clock::time_point boot_time;
  ProcUnits units;
  bool running = false;  ///< also false if no source of the process was requested
  Result<ProcPidStat> stat = ProcPidStat{};
  Result<ProcPidStatm> statm = ProcPidStatm{};
  Result<ProcPidMemory> memory = ProcPidMemory{};
  Result<std::vector<VcpuTimes>> vcpus = {};  ///< empty: the threads of the vCPUs are not known
  TapCounters tap = {};
  Result<Disk> disk = Disk{};
  Result<std::string_view> state_without_process = std::string_view{};
};

}  // namespace hypeman::collector
