#include "fs/tree/instance_file.hpp"

#include <algorithm>

#include "collector/statistics/stats_json.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::fs {

const std::vector<InstanceFile>& InstanceFile::all() {
  static const auto files = [] {
    std::vector<InstanceFile> result;
    for (std::size_t index = 0; index < count(); ++index) {
      if (const InstanceFile file{index}; !file.is_of_vcpu()) {
        result.push_back(file);
      }
    }
    return result;
  }();
  return files;
}

std::vector<InstanceFile> InstanceFile::all_of_vcpu(unsigned vcpu) {
  std::vector<InstanceFile> files;
  for (std::size_t index = 0; index < count(); ++index) {
    if (const InstanceFile file{index, vcpu}; file.is_of_vcpu()) {
      files.push_back(file);
    }
  }
  return files;
}

bool InstanceFile::is_of_vcpu() const {
  const auto* const one = statistic();
  return one != nullptr && one->is_of_vcpu();
}

const collector::Statistic* InstanceFile::statistic() const {
  const auto table = collector::statistics();
  return index_ < table.size() ? &table[index_] : nullptr;
}

std::string_view InstanceFile::name() const {
  const auto* const one = statistic();
  return one != nullptr ? one->name : "stats.json";
}

collector::Sources InstanceFile::sources() const {
  const auto* const one = statistic();
  return one != nullptr ? one->sources : collector::stats_json_sources();
}

bool InstanceFile::is_in(const collector::VmRecord& record) const {
  const auto* const one = statistic();
  return one == nullptr ||
         (one->is_in(record) && (!one->is_of_vcpu() || vcpu_ < collector::max_vcpus(record)));
}

bool InstanceFile::is_in(const collector::Sample& sample) const {
  const auto* const one = statistic();
  if (one != nullptr && one->is_of_vcpu()) {
    return one->value(sample, vcpu_).has_value();
  }
  return one == nullptr || one->is_in(sample);
}

Result<void> InstanceFile::render(const collector::Sample& sample, std::string& text) const {
  text.clear();
  const auto* const one = statistic();
  if (one == nullptr) {
    // Zeros would look like those of a VM that does not run.
    if (!sample.stat) {
      return tl::unexpected{sample.stat.error()};
    }
    collector::append_stats_json(sample, text);
    return {};
  }
  const auto value = one->is_of_vcpu() ? one->value(sample, vcpu_) : one->value(sample);
  return value.map(
      [&](const collector::Value& found) { collector::append_value_line(found, text); });
}

std::optional<std::size_t> InstanceFile::size_by_record(
    const std::shared_ptr<const collector::VmRecord>& record) const {
  const auto* const one = statistic();
  if (one != nullptr && one->sources.any()) {
    return std::nullopt;
  }
  std::string text;
  if (!render(collector::Sample{.record = record}, text)) {
    return std::nullopt;
  }
  return text.size();
}

std::optional<InstanceFile> find_file(const std::vector<InstanceFile>& files,
                                      std::string_view name) {
  const auto found = std::ranges::find(files, name, &InstanceFile::name);
  return found == files.end() ? std::nullopt : std::optional{*found};
}

}  // namespace hypeman::fs
