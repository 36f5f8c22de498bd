#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/procfs.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// The kernel files and clocks from which a sample is read. Each statistic lists those it needs.
enum class Source : std::uint8_t {
  proc_stat,     ///< /proc/<pid>/stat
  proc_statm,    ///< /proc/<pid>/statm
  tap_rx_bytes,  ///< /sys/class/net/<TAP>/statistics/rx_bytes
  tap_tx_bytes,  ///< /sys/class/net/<TAP>/statistics/tx_bytes
  boot_time,     ///< CLOCK_REALTIME - CLOCK_BOOTTIME
};

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

/// Sources of all numbers of a running process.
inline constexpr Sources process_sources = Source::proc_stat | Source::proc_statm;
inline constexpr Sources tap_sources = Source::tap_rx_bytes | Source::tap_tx_bytes;

/// One measurement of one VM. Holds the requested sources, all read together. If the VM does not
/// run, all numbers are 0. If it runs and a source cannot be read, that source holds the error.
struct Sample {
  std::shared_ptr<const VmRecord> record;  ///< never null
  std::chrono::system_clock::time_point time;
  /// The time when the host was booted, by the wall clock.
  std::chrono::system_clock::time_point boot_time;
  ProcUnits units;
  bool running = false;  ///< also false if no sources were requested
  Result<ProcPidStat> stat = ProcPidStat{};
  Result<ProcPidStatm> statm = ProcPidStatm{};
  Result<std::uint64_t> tap_rx_bytes = std::uint64_t{0};  ///< received by the host
  Result<std::uint64_t> tap_tx_bytes = std::uint64_t{0};  ///< sent by the host
};

}  // namespace hypeman::collector
