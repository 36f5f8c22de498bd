#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "collector/vm_record.hpp"

namespace hypeman::fs {

/// The content of a file at one moment.
struct Content {
  std::string text;
  std::chrono::system_clock::time_point time;  ///< when it was measured
  bool running = false;                        ///< whether the VM ran
  /// The record of the VM; null for a file of the whole host.
  std::shared_ptr<const collector::VmRecord> record = {};
};

}  // namespace hypeman::fs
