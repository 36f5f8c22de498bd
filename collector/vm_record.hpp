#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/kernel/process_identity.hpp"

namespace hypeman::collector {

/// The recorded data of a VM, in a form that does not depend on its source. The process may have
/// ended.
struct VmRecord {
  std::string id = {};
  std::string name = {};  ///< any UTF-8 text, at most 255 bytes
  std::uint64_t allocated_memory_bytes = 0;
  std::uint64_t allocated_vcpus = 0;
  std::string tap = {};                         ///< its network interface; empty: none
  std::optional<ProcessIdentity> process = {};  ///< its hypervisor; nothing: not running
  std::string state_while_running = "running";  ///< one word: its state while the process lives

  bool operator==(const VmRecord&) const = default;
};

}  // namespace hypeman::collector
