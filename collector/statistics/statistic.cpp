#include "collector/statistics/statistic.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <variant>
#include <vector>

#include "collector/hypeman/state.hpp"

namespace hypeman::collector {
namespace {

constexpr double nanoseconds_per_second = 1e9;

Result<Value> pages_in_bytes(const Sample& sample, std::uint64_t ProcPidStatm::*pages) {
  return sample.statm.map(
      [&](const ProcPidStatm& statm) { return Value{statm.*pages * sample.units.page_size}; });
}

Result<Value> memory(const Sample& sample, std::uint64_t ProcPidMemory::*bytes) {
  return sample.memory.map([&](const ProcPidMemory& memory) { return Value{memory.*bytes}; });
}

Result<Value> disk(const Sample& sample, std::uint64_t Disk::*bytes) {
  return sample.disk.map([&](const Disk& disk) { return Value{disk.*bytes}; });
}

Result<Value> seconds(const Sample& sample, std::uint64_t ticks) {
  return static_cast<double>(ticks) / sample.units.ticks_per_second;
}

Value seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / nanoseconds_per_second;
}

/// The host sends what the VM receives, so "rx" of the VM is "tx" of the TAP.
Result<Value> tap(const Sample& sample, InterfaceCounter counter) {
  return sample.tap[counter].map([](std::uint64_t value) { return Value{value}; });
}

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
          return s.stat.and_then([&](const ProcPidStat& stat) {
            return seconds(s, stat.user_ticks + stat.system_ticks);
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
    // An unclean end may leave the TAP behind, so all counters of the network need to know whether
    // the process runs.
    Statistic{
        .name = "network_rx_bytes",
        .unit = "bytes since the VM's start",
        .source_text = "received by the VM: /sys/class/net/<TAP>/statistics/tx_bytes",
        .sources = Source::proc_stat | Source::tap_tx_bytes,
        .is_hidden_if_unreadable = true,
        .in_stats_json = true,
        .metric = {"hypeman_vm_network_rx_bytes_total", "counter",
                   "Bytes that the VM has received."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::tx_bytes); },
    },
    Statistic{
        .name = "network_tx_bytes",
        .unit = "bytes since the VM's start",
        .source_text = "sent by the VM: /sys/class/net/<TAP>/statistics/rx_bytes",
        .sources = Source::proc_stat | Source::tap_rx_bytes,
        .is_hidden_if_unreadable = true,
        .in_stats_json = true,
        .metric = {"hypeman_vm_network_tx_bytes_total", "counter", "Bytes that the VM has sent."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::rx_bytes); },
    },
    Statistic{
        .name = "memory_utilization_ratio",
        .unit = "ratio",
        .source_text =
            "memory_rss_bytes / allocated_memory_bytes; may exceed 1; missing if no memory "
            "is allocated to the VM",
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
        .name = "state",
        .source_text =
            "while the process lives: phases.current of metadata.json, or running; otherwise: "
            "standby if snapshots/snapshot-latest is not empty, else stopped",
        .sources = Source::proc_stat | Source::snapshot,
        .metric = {.name = "hypeman_vm_running",
                   .type = "gauge",
                   .help = "Whether the VM's hypervisor process runs (1) or not (0).",
                   .also_while_stopped = true,
                   .read = [](const Sample& s) -> Result<Value> {
                     return s.stat.map(
                         [&](const auto& /*known*/) { return Value{std::uint64_t{s.running}}; });
                   },
                   .sources = Source::proc_stat},
        .read = [](const Sample& s) -> Result<Value> {
          if (!s.running) {
            return s.state_without_process.map([](std::string_view word) { return Value{word}; });
          }
          return s.stat.map([&](const auto& /*known*/) {
            return Value{std::string_view{s.record->state_while_running}};
          });
        },
    },
    Statistic{
        .name = "start_time_seconds",
        .unit = "seconds since 1970-01-01 00:00 UTC",
        .source_text = "/proc/<pid>/stat, field 22 (starttime), after the boot of the host",
        .sources = Source::proc_stat | Source::boot_time,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_start_time_seconds", "gauge",
                   "Unix time at which the VM's hypervisor process started."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.stat.map([&](const ProcPidStat& stat) {
            // In milliseconds: finer than the ticks, and nearly always the same in every sample.
            using std::chrono::milliseconds;
            const auto boot = std::chrono::round<milliseconds>(s.boot_time.time_since_epoch());
            const auto since_boot = std::llround(static_cast<double>(stat.start_time_ticks) *
                                                 1000.0 / s.units.ticks_per_second);
            return Value{static_cast<double>(boot.count() + since_boot) / 1000.0};
          });
        },
    },
    Statistic{
        .name = "cpu_guest_seconds",
        .unit = "seconds since the VM's start",
        .source_text = "/proc/<pid>/stat, field 43 (guest_time), divided by sysconf(_SC_CLK_TCK)",
        .sources = Source::proc_stat,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_cpu_guest_seconds_total", "counter",
                   "CPU time that ran guest code, a part of hypeman_vm_cpu_seconds_total."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.stat.and_then(
              [&](const ProcPidStat& stat) { return seconds(s, stat.guest_ticks); });
        },
    },
    Statistic{
        .name = "cpu_wait_seconds",
        .unit = "seconds since the VM's start",
        .source_text =
            "/proc/<pid>/task/<tid>/schedstat, field 2, summed over the threads that run "
            "vCPUs",
        .sources = Source::proc_stat | Source::schedstat,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric =
            {"hypeman_vm_cpu_wait_seconds_total", "counter",
             "Time that vCPUs were ready to run and had no CPU of the host, summed over them."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.vcpus.and_then([](const std::vector<VcpuTimes>& vcpus) -> Result<Value> {
            std::uint64_t sum = 0;
            for (const auto& one : vcpus) {
              sum += one.wait_nanoseconds;
            }
            return vcpus.empty() ? Result<Value>{failure(ENOENT)}
                                 : static_cast<double>(sum) / nanoseconds_per_second;
          });
        },
    },
    Statistic{
        .name = "memory_rss_anon_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/status, RssAnon",
        .sources = Source::proc_stat | Source::proc_status,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_memory_rss_anon_bytes", "gauge",
                   "Resident anonymous memory: what the VM has of its own."},
        .read = [](const Sample& s) { return memory(s, &ProcPidMemory::rss_anon_bytes); },
    },
    Statistic{
        .name = "memory_rss_file_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/status, RssFile",
        .sources = Source::proc_stat | Source::proc_status,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_memory_rss_file_bytes", "gauge", "Resident memory that maps files."},
        .read = [](const Sample& s) { return memory(s, &ProcPidMemory::rss_file_bytes); },
    },
    Statistic{
        .name = "memory_rss_shmem_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/status, RssShmem",
        .sources = Source::proc_stat | Source::proc_status,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_memory_rss_shmem_bytes", "gauge",
                   "Resident shared memory, such as memfd and tmpfs."},
        .read = [](const Sample& s) { return memory(s, &ProcPidMemory::rss_shmem_bytes); },
    },
    Statistic{
        .name = "memory_swap_bytes",
        .unit = "bytes",
        .source_text = "/proc/<pid>/status, VmSwap",
        .sources = Source::proc_stat | Source::proc_status,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_memory_swap_bytes", "gauge",
                   "Memory of the VM's hypervisor process that is swapped out."},
        .read = [](const Sample& s) { return memory(s, &ProcPidMemory::swap_bytes); },
    },
    Statistic{
        .name = "memory_major_faults",
        .unit = "page faults since the VM's start",
        .source_text = "/proc/<pid>/stat, field 12 (majflt); children excluded",
        .sources = Source::proc_stat,
        .presence = Presence::while_running,
        .metric = {"hypeman_vm_memory_major_faults_total", "counter",
                   "Page faults of the VM's hypervisor process that had to read from a disk."},
        .read = [](const Sample& s) -> Result<Value> {
          return s.stat.map([](const ProcPidStat& stat) { return Value{stat.major_faults}; });
        },
    },
    Statistic{
        .name = "network_rx_packets",
        .unit = "packets since the VM's start",
        .source_text = "received by the VM: /sys/class/net/<TAP>/statistics/tx_packets",
        .sources = Source::proc_stat | Source::tap_tx_packets,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_rx_packets_total", "counter",
                   "Packets that the VM has received."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::tx_packets); },
    },
    Statistic{
        .name = "network_tx_packets",
        .unit = "packets since the VM's start",
        .source_text = "sent by the VM: /sys/class/net/<TAP>/statistics/rx_packets",
        .sources = Source::proc_stat | Source::tap_rx_packets,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_tx_packets_total", "counter",
                   "Packets that the VM has sent."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::rx_packets); },
    },
    Statistic{
        .name = "network_rx_errors",
        .unit = "packets since the VM's start",
        .source_text = "received by the VM: /sys/class/net/<TAP>/statistics/tx_errors",
        .sources = Source::proc_stat | Source::tap_tx_errors,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_rx_errors_total", "counter",
                   "Packets to the VM that were lost because of an error of the TAP."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::tx_errors); },
    },
    Statistic{
        .name = "network_tx_errors",
        .unit = "packets since the VM's start",
        .source_text = "sent by the VM: /sys/class/net/<TAP>/statistics/rx_errors",
        .sources = Source::proc_stat | Source::tap_rx_errors,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_tx_errors_total", "counter",
                   "Packets from the VM that were lost because of an error of the TAP."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::rx_errors); },
    },
    Statistic{
        .name = "network_rx_dropped",
        .unit = "packets since the VM's start",
        .source_text = "received by the VM: /sys/class/net/<TAP>/statistics/tx_dropped",
        .sources = Source::proc_stat | Source::tap_tx_dropped,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_rx_dropped_total", "counter",
                   "Packets to the VM that the host dropped."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::tx_dropped); },
    },
    Statistic{
        .name = "network_tx_dropped",
        .unit = "packets since the VM's start",
        .source_text = "sent by the VM: /sys/class/net/<TAP>/statistics/rx_dropped",
        .sources = Source::proc_stat | Source::tap_rx_dropped,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_network_tx_dropped_total", "counter",
                   "Packets from the VM that the host dropped."},
        .read = [](const Sample& s) { return tap(s, InterfaceCounter::rx_dropped); },
    },
    Statistic{
        .name = "disk_size_bytes",
        .unit = "bytes",
        .source_text = "st_size of guests/<id>/overlay.raw",
        .sources = Source::disk,
        .is_hidden_if_unreadable = true,
        .metric = {.name = "hypeman_vm_disk_size_bytes",
                   .type = "gauge",
                   .help = "Size of the VM's writable disk.",
                   .also_while_stopped = true},
        .read = [](const Sample& s) { return disk(s, &Disk::size_bytes); },
    },
    Statistic{
        .name = "disk_allocated_bytes",
        .unit = "bytes",
        .source_text = "st_blocks of guests/<id>/overlay.raw, times 512",
        .sources = Source::disk,
        .is_hidden_if_unreadable = true,
        .metric = {.name = "hypeman_vm_disk_allocated_bytes",
                   .type = "gauge",
                   .help = "Bytes that the VM's writable disk takes on the host.",
                   .also_while_stopped = true},
        .read = [](const Sample& s) { return disk(s, &Disk::allocated_bytes); },
    },
    Statistic{
        .name = "cpu_seconds",
        .unit = "seconds since the VM's start",
        .source_text = "/proc/<pid>/task/<tid>/schedstat, field 1",
        .sources = Source::proc_stat | Source::schedstat,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_vcpu_seconds_total", "counter",
                   "CPU time of the thread that runs the vCPU."},
        .read_vcpu = [](const VcpuTimes& times) { return seconds(times.run_nanoseconds); },
    },
    Statistic{
        .name = "wait_seconds",
        .unit = "seconds since the VM's start",
        .source_text = "/proc/<pid>/task/<tid>/schedstat, field 2",
        .sources = Source::proc_stat | Source::schedstat,
        .presence = Presence::while_running,
        .is_hidden_if_unreadable = true,
        .metric = {"hypeman_vm_vcpu_wait_seconds_total", "counter",
                   "Time that the vCPU was ready to run and had no CPU of the host."},
        .read_vcpu = [](const VcpuTimes& times) { return seconds(times.wait_nanoseconds); },
    },
};

static_assert(std::ranges::all_of(table, [](const Statistic& statistic) {
  return (statistic.read == nullptr) == statistic.is_of_vcpu();
}));
static_assert(std::ranges::is_partitioned(table, [](const Statistic& statistic) {
  return !statistic.is_of_vcpu();
}));

bool has_value_for(Presence presence, const Sample& sample) {
  return presence == Presence::while_running
             ? sample.running
             : presence == Presence::always || sample.record->allocated_memory_bytes > 0;
}

}  // namespace

std::string Statistic::path() const {
  return (is_of_vcpu() ? "vcpus/<n>/" : "") + std::string{name};
}

Result<Value> Statistic::value(const Sample& sample) const {
  return has_value_for(presence, sample) ? read(sample) : failure(ENOENT);
}

Result<Value> Statistic::value(const Sample& sample, unsigned vcpu) const {
  if (!has_value_for(presence, sample)) {
    return failure(ENOENT);
  }
  return sample.vcpus.and_then([&](const std::vector<VcpuTimes>& vcpus) -> Result<Value> {
    const auto times = std::ranges::lower_bound(vcpus, vcpu, {}, &VcpuTimes::number);
    if (times == vcpus.end() || times->number != vcpu) {
      return failure(ENOENT);
    }
    return read_vcpu(*times);
  });
}

Result<Value> Statistic::metric_value(const Sample& sample) const {
  if (!sample.running && !metric.also_while_stopped) {
    return failure(ENOENT);
  }
  return metric.read != nullptr ? metric.read(sample) : value(sample);
}

bool Statistic::is_in(const VmRecord& record) const {
  switch (presence) {
    case Presence::always:
      return true;
    case Presence::while_memory_is_allocated:
      return record.allocated_memory_bytes > 0;
    case Presence::while_running:
      return record.process.has_value();
  }
  return false;
}

bool Statistic::is_in(const Sample& sample) const {
  if (is_of_vcpu()) {
    return sample.vcpus && !sample.vcpus->empty();
  }
  return has_value_for(presence, sample) && (!is_hidden_if_unreadable || value(sample).has_value());
}

std::span<const Statistic> statistics() {
  return table;
}

const Statistic& statistic_named(std::string_view name) {
  return *std::ranges::find(table, name, &Statistic::name);
}

unsigned max_vcpus(const VmRecord& record) {
  return record.process ? static_cast<unsigned>(std::min<std::uint64_t>(record.allocated_vcpus,
                                                                        VcpuThreads::max_vcpus))
                        : 0;
}

std::size_t Statistic::max_value_size() const {
  if (is_of_vcpu()) {
    return max_number_size;
  }
  const Sample sample{
      .record = std::make_shared<const VmRecord>(VmRecord{.allocated_memory_bytes = 1}),
      .units = {.ticks_per_second = 1, .page_size = 1},
      .running = true,
      .vcpus = std::vector{VcpuTimes{}}};
  const auto value = read(sample).value_or(Value{0.0});
  if (std::holds_alternative<std::string_view>(value)) {
    return max_state_size;
  }
  return std::holds_alternative<double>(value) ? max_number_size : max_integer_size;
}

Sources presence_sources() {
  return sources_of_those(
             [](const Statistic& statistic) { return statistic.is_hidden_if_unreadable; }) |
         Source::proc_stat;  // whether it runs
}

}  // namespace hypeman::collector
