#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// The parts of guests/<id>/metadata.json that this program uses. The file also holds secrets, so
/// no other key is kept. The fields of a record and their keys: id: Id; name: Name;
/// allocated_memory_bytes: Size + HotplugSize; allocated_vcpus: Vcpus; tap: NetworkEnabled and Id;
/// process: HypervisorPID, HypervisorStartTime, HypervisorBootID, SocketPath; state_while_running:
/// current of phases.
struct Metadata {
  VmRecord record = {};
  bool pending_delete = false;  ///< PendingDeleteAt is set: the instance is hidden

  bool operator==(const Metadata&) const = default;
};

/// Parses the metadata of any version of Hypeman. The error is one line and quotes nothing of the
/// text. Only Id is required. Unknown keys are skipped with any JSON value. A number that is too
/// large for a double is an error. Absent keys and null keep the default, as in Hypeman's own
/// decoder.
[[nodiscard]] tl::expected<Metadata, std::string> parse_metadata(std::string_view text);

/// The name that Hypeman gives the TAP of an instance.
[[nodiscard]] std::string tap_name(std::string_view instance_id);

}  // namespace hypeman::collector
