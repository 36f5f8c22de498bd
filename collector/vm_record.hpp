#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "collector/kernel/process_identity.hpp"

namespace hypeman::collector {

/// What is recorded of a VM, whatever recorded it. A value; it does not say that the process lives.
struct VmRecord {
  using CreationTime = std::chrono::sys_time<std::chrono::microseconds>;

  std::string id = {};
  std::string name = {};  ///< any UTF-8 of at most 255 bytes
  std::uint64_t allocated_memory_bytes = 0;
  std::uint64_t allocated_vcpus = 0;
  std::string tap = {};                           ///< its network interface; empty: none
  std::optional<ProcessIdentity> process = {};    ///< its hypervisor; nothing: not running
  CreationTime created_at = CreationTime::max();  ///< max(): unknown

  bool operator==(const VmRecord&) const = default;
};

}  // namespace hypeman::collector
