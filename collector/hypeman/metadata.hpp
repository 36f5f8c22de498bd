#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace hypeman::collector {

/// The hypervisor process as Hypeman recorded it. Nothing here says that it is still the one.
struct RecordedProcess {
  pid_t pid = 0;
  std::uint64_t start_time_ticks = 0;  ///< field 22 of /proc/<pid>/stat; 0: not recorded
  std::string boot_id;                 ///< /proc/sys/kernel/random/boot_id; empty: not recorded
  std::string socket_path;             ///< stands on its command line; empty: not recorded

  bool operator==(const RecordedProcess&) const = default;
};

using CreationTime = std::chrono::sys_time<std::chrono::microseconds>;

/// What we use of guests/<id>/metadata.json. The file also holds secrets: no other key is kept.
struct Metadata {
  std::string id = {};                       ///< Id
  std::string name = {};                     ///< Name, any UTF-8 of at most 255 bytes
  std::uint64_t allocated_memory_bytes = 0;  ///< Size + HotplugSize
  std::uint64_t allocated_vcpus = 0;         ///< Vcpus
  bool network_enabled = false;              ///< NetworkEnabled
  bool pending_delete = false;               ///< PendingDeleteAt is set: hidden from every look-up
  std::optional<RecordedProcess> process = {};    ///< HypervisorPID; nothing: not running
  CreationTime created_at = CreationTime::max();  ///< CreatedAt; max(): unknown

  bool operator==(const Metadata&) const = default;
};

/// The metadata in `text`, from any version of Hypeman; or, in one line and without any of the
/// file's content, why there is none. Unknown keys are skipped whatever JSON they hold (a number
/// that no double can hold is none), absent and null ones keep their defaults, as in Hypeman's own
/// decoder; only Id is required.
[[nodiscard]] tl::expected<Metadata, std::string> parse_metadata(std::string_view text);

}  // namespace hypeman::collector
