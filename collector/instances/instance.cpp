#include "collector/instances/instance.hpp"

#include <string_view>
#include <utility>

namespace hypeman::collector {
namespace {

constexpr std::array<std::string_view, 3> part_names{"CPU time", "memory", "network traffic"};

}  // namespace

Instance::Instance(const Host& host, std::string id)
    : host_{host}, metadata_file_{host, std::move(id)} {}

Result<Sample> Instance::sample() {
  auto metadata = metadata_file_.current();
  if (!metadata) {
    return metadata.error() == std::errc::bad_message ? failure(ENOENT)
                                                      : tl::unexpected{metadata.error()};
  }
  return measure(*std::move(metadata));
}

Sample Instance::measure(std::shared_ptr<const Metadata> metadata) {
  Sample sample{.metadata = std::move(metadata), .time = std::chrono::system_clock::now()};
  if (sample.metadata->process) {
    measure_process(*sample.metadata->process, sample);
  }
  if (!sample.running) {
    host_.budget->release(*files_);
    return sample;
  }
  if (sample.metadata->network_enabled) {
    sample.network = measure_network();
  }
  report(Part::cpu, sample.cpu_seconds);
  report(Part::memory, sample.memory);
  report(Part::network, sample.network);
  return sample;
}

void Instance::measure_process(const RecordedProcess& recorded, Sample& sample) {
  host_.budget->use(files_);
  // Twice, because what was pinned may have ended since; nothing else can be pinned under the same
  // record than the process that Hypeman meant.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto pinned = files_->process(host_.procfs, recorded);
    const auto stat = pinned.and_then([](const auto& p) { return p->read_stat(); });
    if (stat && stat->alive()) {
      const auto page_size = host_.procfs.page_size;
      sample.running = true;
      sample.cpu_seconds = static_cast<double>(stat->user_ticks + stat->system_ticks) /
                           host_.procfs.ticks_per_second;
      sample.memory = (*pinned)->read_statm().map([&](const ProcPidStatm& statm) {
        return MemoryUsage{.rss_bytes = statm.resident_pages * page_size,
                           .vms_bytes = statm.size_pages * page_size};
      });
      return;
    }
    if (!stat && stat.error() != std::errc::no_such_process) {
      // It may well be running; that it cannot be read must not look like zero.
      sample.running = true;
      sample.cpu_seconds = tl::unexpected{stat.error()};
      sample.memory = tl::unexpected{stat.error()};
      return;
    }
    if (!pinned) {
      return;
    }
    files_->drop(*pinned);
  }
}

Result<NetworkTraffic> Instance::measure_network() {
  // Twice, because a restart makes a new TAP of the same name.
  Result<NetworkTraffic> traffic;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto pinned = files_->tap(host_.sys.get(), id());
    if (!pinned) {
      return tl::unexpected{pinned.error()};
    }
    traffic = (*pinned)->read();
    if (traffic || traffic.error() != std::errc::no_such_device) {
      return traffic;
    }
    files_->drop(*pinned);
  }
  return traffic;
}

template <class T>
void Instance::report(Part part, const Result<T>& result) {
  const auto index = static_cast<std::size_t>(part);
  const int error = result ? 0 : result.error().value();
  if (reported_.at(index).load(std::memory_order_relaxed) == error ||
      reported_.at(index).exchange(error) == error || error == 0) {
    return;
  }
  host_.logger->warn("instance {}: its {} cannot be read: {}", id(), part_names.at(index),
                     result.error().message());
}

}  // namespace hypeman::collector
