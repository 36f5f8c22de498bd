#pragma once

#include <memory>
#include <vector>

#include "collector/vm_record.hpp"

namespace hypeman::collector {

class Instance;

/// An instance, and its record at the time when it was found.
struct FoundInstance {
  std::shared_ptr<Instance> instance;
  std::shared_ptr<const VmRecord> record;

  bool operator==(const FoundInstance&) const = default;
};

/// Instances sorted by ID. Shared, because readers keep it between two calls.
using InstanceList = std::shared_ptr<const std::vector<FoundInstance>>;

}  // namespace hypeman::collector
