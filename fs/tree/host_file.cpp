#include "fs/tree/host_file.hpp"

#include <array>

#include "collector/statistics/instances_json.hpp"
#include "collector/statistics/prometheus_text.hpp"
#include "collector/statistics/summary.hpp"

namespace hypeman::fs {
namespace {

using Instances = std::span<const collector::FoundInstance>;
using Samples = std::span<const collector::Sample>;

constexpr std::array<HostFile, host_file_count> files{{
    {.name = "instances.json",
     .sources = collector::instances_json_sources,
     .size = collector::instances_json_size,
     .text = [](Samples samples, std::size_t size,
                const OwnMetrics& /*own*/) { return collector::instances_json(samples, size); }},
    {.name = "metrics.prom",
     .sources = collector::prometheus_sources,
     .size =
         [](Instances instances) {
           return OwnMetrics::size() + collector::prometheus_text_size(instances);
         },
     .text =
         [](Samples samples, std::size_t size, const OwnMetrics& own) {
           return own.text() + collector::prometheus_text(samples, size - OwnMetrics::size());
         }},
    {.name = "summary",
     .sources = collector::summary_sources,
     .size = collector::summary_size,
     .text = [](Samples samples, std::size_t size,
                const OwnMetrics& /*own*/) { return collector::summary(samples, size); }},
}};

}  // namespace

std::span<const HostFile, host_file_count> host_files() {
  return files;
}

}  // namespace hypeman::fs
