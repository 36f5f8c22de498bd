#include "collector/statistics/statistic.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>

namespace hypeman::collector {
namespace {

Result<Value> pages_in_bytes(const Sample& sample, std::uint64_t ProcPidStatm::*pages) {
  return sample.statm.map(
      [&](const ProcPidStatm& statm) { return Value{statm.*pages * sample.units.page_size}; });
}

Result<Value> bytes(const Result<std::uint64_t>& counter) {
  return counter.map([](std::uint64_t value) { return Value{value}; });
}

// Hypeman's documented statistics come first, in the order of its API page.
constexpr std::array table{
    Statistic{
        .name = "allocated_memory_bytes",
        .unit = "bytes",
        .source_text = "Size + HotplugSize of metadata.json",
        .in_stats_json = true,
        .metric = {"hypeman_vm_allocated_memory_bytes", "gauge", "Memory allocated to the VM."},
        .read = [](const Sample& s) -> Result<Value> { return s.record->allocated_memory_bytes; },
    },
    Statistic{
        .name = "allocated_vcpus",
        .unit = "virtual CPUs",
        .source_text = "Vcpus of metadata.json",
        .in_stats_json = true,
        .metric = {"hypeman_vm_allocated_vcpus", "gauge", "Virtual CPUs allocated to the VM."},
        .read = [](const Sample& s) -> Result<Value> { return s.record->allocated_vcpus; },
    },
    Statistic{
        .name = "cpu_seconds",
        .unit = "seconds since the VM's start",
        .source_text = "/proc/<pid>/stat, fields 14 (utime) + 15 (stime), divided by "
                       "sysconf(_SC_CLK_TCK); children excluded",
        .sources = Source::proc_stat,
        .in_stats_json = true,
        .metric = {"hypeman_vm_cpu_seconds_total", "counter",
                   "CPU time of the VM's hypervisor process, user and system."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.stat.map([&](const ProcPidStat& stat) {
            return Value{static_cast<double>(stat.user_ticks + stat.system_ticks) /
                         s.units.ticks_per_second};
          });
        },
    },
    Statistic{
        .name = "instance_id",
        .source_text = "Id of metadata.json",
        .in_stats_json = true,
        .read = [](const Sample& s) -> Result<Value> { return std::string_view{s.record->id}; },
    },
    Statistic{
        .name = "instance_name",
        .source_text = "Name of metadata.json; control characters and backslashes in octal (\\012)",
        .in_stats_json = true,
        .read = [](const Sample& s) -> Result<Value> { return std::string_view{s.record->name}; },
    },
    Statistic{
        .name = "memory_rss_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/statm, field 2 (resident), times the page size",
        .sources = Source::proc_statm,
        .in_stats_json = true,
        .metric = {"hypeman_vm_memory_rss_bytes", "gauge",
                   "Resident memory of the VM's hypervisor process."},
        .read = [](const Sample& s) { return pages_in_bytes(s, &ProcPidStatm::resident_pages); },
    },
    Statistic{
        .name = "memory_vms_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/statm, field 1 (size), times the page size",
        .sources = Source::proc_statm,
        .in_stats_json = true,
        .metric = {"hypeman_vm_memory_vms_bytes", "gauge",
                   "Virtual memory of the VM's hypervisor process."},
        .read = [](const Sample& s) { return pages_in_bytes(s, &ProcPidStatm::size_pages); },
    },
    // The host sends what the VM receives. An unclean end may leave the TAP behind, so both
    // counters need to know whether the process runs.
    Statistic{
        .name = "network_rx_bytes",
        .unit = "bytes since the VM's start",
        .source_text = "received by the VM: /sys/class/net/<TAP>/statistics/tx_bytes",
        .sources = Source::proc_stat | Source::tap_tx_bytes,
        .presence = Presence::listed_if_readable,
        .in_stats_json = true,
        .metric = {"hypeman_vm_network_rx_bytes_total", "counter",
                   "Bytes that the VM has received."},
        .read = [](const Sample& s) { return bytes(s.tap_tx_bytes); },
    },
    Statistic{
        .name = "network_tx_bytes",
        .unit = "bytes since the VM's start",
        .source_text = "sent by the VM: /sys/class/net/<TAP>/statistics/rx_bytes",
        .sources = Source::proc_stat | Source::tap_rx_bytes,
        .presence = Presence::listed_if_readable,
        .in_stats_json = true,
        .metric = {"hypeman_vm_network_tx_bytes_total", "counter", "Bytes that the VM has sent."},
        .read = [](const Sample& s) { return bytes(s.tap_rx_bytes); },
    },
    Statistic{
        .name = "memory_utilization_ratio",
        .unit = "ratio",
        .source_text = "memory_rss_bytes / allocated_memory_bytes; may exceed 1; only there while "
                       "memory is allocated",
        .sources = Source::proc_statm,
        .presence = Presence::while_memory_is_allocated,
        .in_stats_json = true,
        .read = [](const Sample& s) -> Result<Value> {
          return s.statm.map([&](const ProcPidStatm& statm) {
            return Value{static_cast<double>(statm.resident_pages * s.units.page_size) /
                         static_cast<double>(s.record->allocated_memory_bytes)};
          });
        },
    },
    Statistic{
        .name = "start_time_seconds",
        .unit = "seconds since 1970-01-01 00:00 UTC",
        .source_text = "/proc/<pid>/stat, field 22 (starttime), after the boot of the host; only "
                       "there while the VM runs",
        .sources = Source::proc_stat | Source::boot_time,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_start_time_seconds", "gauge",
                   "Unix time at which the VM's hypervisor process started."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.stat.map([&](const ProcPidStat& stat) {
            // In milliseconds: finer than the ticks, and the same in every sample.
            using std::chrono::milliseconds;
            const auto boot = std::chrono::round<milliseconds>(s.boot_time.time_since_epoch());
            const auto since_boot = std::llround(static_cast<double>(stat.start_time_ticks) *
                                                 1000.0 / s.units.ticks_per_second);
            return Value{static_cast<double>(boot.count() + since_boot) / 1000.0};
          });
        },
    },
};

}  // namespace

Result<Value> Statistic::value(const Sample& sample) const {
  const bool exists = presence == Presence::while_running ? sample.running : is_in(*sample.record);
  return exists ? read(sample) : failure(ENOENT);
}

bool Statistic::is_in(const VmRecord& record) const {
  switch (presence) {
    case Presence::always:
    case Presence::listed_if_readable:
      return true;
    case Presence::while_memory_is_allocated:
      return record.allocated_memory_bytes > 0;
    case Presence::while_running:
      return record.process.has_value();
  }
  return false;
}

bool Statistic::is_in(const Sample& sample) const {
  switch (presence) {
    case Presence::while_running:
      return sample.running;
    case Presence::listed_if_readable:
      return value(sample).has_value();
    default:
      return is_in(*sample.record);
  }
}

std::span<const Statistic> statistics() {
  return table;
}

Sources presence_sources() {
  return sources_of_those([](const Statistic& statistic) {
           return statistic.presence == Presence::listed_if_readable;
         }) |
         Source::proc_stat;  // whether it runs
}

}  // namespace hypeman::collector
