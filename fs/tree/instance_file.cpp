#include "fs/tree/instance_file.hpp"

#include "collector/statistics/stats_json.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::fs {

std::optional<InstanceFile> InstanceFile::named(std::string_view name) {
  for (std::size_t index = 0; index < count(); ++index) {
    if (const InstanceFile file{index}; file.name() == name) {
      return file;
    }
  }
  return std::nullopt;
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
  return one == nullptr || one->is_in(record);
}

bool InstanceFile::is_in(const collector::Sample& sample) const {
  const auto* const one = statistic();
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
  return one->value(sample).map(
      [&](const collector::Value& value) { collector::append_value_line(value, text); });
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

}  // namespace hypeman::fs
