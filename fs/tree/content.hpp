#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "collector/vm_record.hpp"

namespace hypeman::fs {

/// What a file held at one moment.
struct Content {
  std::string text;
  std::chrono::system_clock::time_point time;  ///< of the sample
  /// Of the VM that the file belongs to; null for a file of the whole host.
  std::shared_ptr<const collector::VmRecord> record = {};
};

}  // namespace hypeman::fs
