#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

#include "base/result.hpp"
#include "collector/hypeman/guests.hpp"

namespace hypeman::collector {

/// A sparse file that is a disk of a VM.
struct Disk {
  std::uint64_t size_bytes = 0;       ///< as the VM sees it; st_size of stat(2)
  std::uint64_t allocated_bytes = 0;  ///< on the host; st_blocks of stat(2), times 512
};

/// The writable disk of a VM, guests/<id>/overlay.raw. The file is not opened. ENOENT: there is no
/// such regular file. `now` is the time by the wall clock, in seconds.
[[nodiscard]] Result<Disk> read_disk(const Guests& guests, std::string_view id, std::time_t now);

}  // namespace hypeman::collector
