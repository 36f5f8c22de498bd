#include "fs/tree/instance_file.hpp"

#include "collector/statistics/stats_json.hpp"
#include "collector/statistics/value.hpp"

namespace hypeman::fs {

std::optional<InstanceFile> InstanceFile::named(std::string_view name) {
  for (std::size_t index = 0; index < count; ++index) {
    if (const InstanceFile file{index}; file.name() == name) {
      return file;
    }
  }
  return std::nullopt;
}

std::optional<collector::Field> InstanceFile::field() const {
  if (index_ < collector::all_fields.size()) {
    return collector::all_fields.at(index_);
  }
  return std::nullopt;
}

std::string_view InstanceFile::name() const {
  const auto one = field();
  return one ? collector::field_name(*one) : "stats.json";
}

bool InstanceFile::exists(const collector::Metadata& metadata) const {
  const auto one = field();
  return !one || collector::has_field(metadata, *one);
}

Result<void> InstanceFile::render(const collector::Sample& sample, std::string& text) const {
  text.clear();
  const auto one = field();
  if (!one) {
    collector::append_stats_json(sample, text);
    return {};
  }
  return collector::value_of(sample, *one).map([&](const collector::Value& value) {
    collector::append_field_text(value, text);
  });
}

}  // namespace hypeman::fs
