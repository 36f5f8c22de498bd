#include "collector/instances/names.hpp"

#include <cerrno>

#include "base/instance_names.hpp"

namespace hypeman::collector {

Names::Names(const std::vector<FoundInstance>& instances) {
  for (const auto& [instance, record] : instances) {
    const auto& name = record->name;
    if (!is_instance_name(name) || ambiguous_.contains(name)) {
      continue;
    }
    if (const auto [found, is_new] = unique_.emplace(name, record->id); !is_new) {
      unique_.erase(found);
      ambiguous_.insert(name);
    }
  }
}

Result<std::string> Names::find(std::string_view name) const {
  if (const auto found = unique_.find(name); found != unique_.end()) {
    return found->second;
  }
  return failure(ambiguous_.contains(name) ? ENOTUNIQ : ENOENT);
}

}  // namespace hypeman::collector
