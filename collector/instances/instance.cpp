#include "collector/instances/instance.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "collector/hypeman/disk.hpp"
#include "collector/hypeman/state.hpp"

namespace hypeman::collector {
namespace {

/// What is logged once if it cannot be read.
constexpr std::array<std::string_view, 5> part_names{"CPU time", "memory", "vCPUs",
                                                     "network traffic", "disk"};
constexpr std::size_t cpu_part = 0;
constexpr std::size_t memory_part = 1;
constexpr std::size_t vcpu_part = 2;
constexpr std::size_t network_part = 3;
constexpr std::size_t disk_part = 4;

std::chrono::nanoseconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// A thread may lose its CPU between the two clocks, so the quickest of a few attempts counts.
std::chrono::system_clock::time_point read_boot_time() {
  using std::chrono::system_clock;
  constexpr auto quick = std::chrono::microseconds{1};
  auto best = std::chrono::nanoseconds::max();
  system_clock::time_point boot_time;
  for (int attempt = 0; attempt < 5 && best > quick; ++attempt) {
    const auto before = since_boot();
    const auto now = system_clock::now();
    if (const auto took = since_boot() - before; took < best) {
      best = took;
      boot_time = now - std::chrono::duration_cast<system_clock::duration>(before);
    }
  }
  return boot_time;
}

std::string explanation(std::error_code error) {
  if (error == std::errc::timed_out) {
    return "the kernel does not return the command line of its process; it will be read again when "
           "the kernel does, or end the process";
  }
  if (error == std::errc::resource_unavailable_try_again) {
    return "no thread is left to check its process; end the processes whose command lines hang, or "
           "raise the limit on threads (TasksMax=)";
  }
  return error.message();
}

/// ESRCH: the process does not run any more. Anything else: why a file cannot be read.
Result<void> read_files(const Process& process, Sources sources, Sample& sample) {
  if (sources.has(Source::proc_stat)) {
    sample.stat = process.read_stat();
    if (!sample.stat) {
      return tl::unexpected{sample.stat.error()};
    }
    if (!sample.stat->alive()) {
      return failure(ESRCH);
    }
  }
  if (sources.has(Source::proc_statm)) {
    sample.statm = process.read_statm();
    // A process that is exiting has no memory any more, but its CPU time is still valid.
    if (!sample.statm && !sources.has(Source::proc_stat)) {
      return tl::unexpected{sample.statm.error()};
    }
  }
  if (sources.has(Source::proc_status)) {
    sample.memory = process.read_memory();
  }
  if (sources.has(Source::schedstat)) {
    sample.vcpus = process.read_vcpus(sample.record->allocated_vcpus);
  }
  return {};
}

}  // namespace

Instance::Instance(const Host& host, std::string id)
    : host_{host}, metadata_file_{host.guests, *host.logger, host.clock, std::move(id)} {}

Result<std::shared_ptr<const VmRecord>> Instance::record() {
  auto record = metadata_file_.read();
  if (!record && record.error() == std::errc::bad_message) {
    return failure(ENOENT);
  }
  return record;
}

Sample Instance::sample(std::shared_ptr<const VmRecord> record, Sources sources) {
  Sample sample{.record = std::move(record),
                .time = std::chrono::system_clock::now(),
                .boot_time = {},
                .units = host_.procfs.units};
  if (!sources.any()) {
    return sample;
  }
  if ((sources & process_sources).any()) {
    if (sample.record->process) {
      read_process(*sample.record->process, sources, sample);
    }
    if (sample.running) {
      read_parts_of_running(sources, sample);
      host_.descriptors->use(files_);
    } else {
      host_.descriptors->remove(*files_);
    }
  }
  if (sources.has(Source::disk)) {
    sample.disk = read_disk(host_.guests, id(), host_.clock());
    // A VM without a disk is not a problem.
    if (sample.disk || sample.disk.error() != std::errc::no_such_file_or_directory) {
      log_once(disk_part, sample.disk);
    }
  }
  if (sources.has(Source::snapshot) && !sample.running) {
    sample.state_without_process = state_without_process(host_.guests, id(), host_.clock());
  }
  return sample;
}

void Instance::read_parts_of_running(Sources sources, Sample& sample) {
  if (sources.has(Source::boot_time)) {
    sample.boot_time = read_boot_time();
  }
  if ((sources & tap_sources).any() && !sample.record->tap.empty()) {
    log_once(network_part, read_tap(sample.record->tap, sources, sample));
  }
  if (sources.has(Source::proc_stat)) {
    log_once(cpu_part, sample.stat);
  }
  if (sources.has(Source::proc_statm)) {
    log_once(memory_part, sample.statm);
  } else if (sources.has(Source::proc_status)) {
    log_once(memory_part, sample.memory);
  }
  if (sources.has(Source::schedstat) && sample.stat) {
    log_once(vcpu_part, sample.vcpus);
  }
}

void Instance::read_process(const ProcessIdentity& identity, Sources sources, Sample& sample) {
  // Tries twice: the open files may belong to an earlier process that has ended.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto process = files_->process(host_.procfs, identity);
    const auto read =
        process.and_then([&](const auto& opened) { return read_files(*opened, sources, sample); });
    if (read) {
      sample.running = true;
      return;
    }
    sample.stat = ProcPidStat{};
    sample.statm = ProcPidStatm{};
    sample.memory = ProcPidMemory{};
    sample.vcpus = std::vector<VcpuTimes>{};
    if (read.error() != std::errc::no_such_process) {
      // The VM may be running, so the numbers are errors, not 0.
      sample.running = true;
      sample.stat = tl::unexpected{read.error()};
      sample.statm = tl::unexpected{read.error()};
      sample.memory = tl::unexpected{read.error()};
      sample.vcpus = tl::unexpected{read.error()};
      return;
    }
    if (!process) {
      return;
    }
    files_->close(*process);
  }
}

Result<void> Instance::read_tap(const std::string& tap, Sources sources, Sample& sample) {
  Result<void> result;
  // Tries twice: after a restart of the VM, the open files belong to the old TAP of the same name.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto interface = files_->interface(host_.sys.get(), tap);
    result = {};
    for (const auto counter : all_interface_counters) {
      if (sources.has(source_of(counter))) {
        sample.tap[counter] =
            interface.and_then([&](const auto& opened) { return opened->read(counter); });
        if (!sample.tap[counter]) {
          result = tl::unexpected{sample.tap[counter].error()};
        }
      }
    }
    if (!interface || result || result.error() != std::errc::no_such_device) {
      return result;
    }
    files_->close(*interface);
  }
  return result;
}

template <class T>
void Instance::log_once(std::size_t part, const Result<T>& result) {
  const int error = result ? 0 : result.error().value();
  auto& logged = logged_.at(part);
  if (logged.load(std::memory_order_relaxed) == error || logged.exchange(error) == error ||
      error == 0) {
    return;
  }
  host_.logger->warn("instance {}: its {} cannot be read: {}", id(), part_names.at(part),
                     explanation(result.error()));
}

}  // namespace hypeman::collector
