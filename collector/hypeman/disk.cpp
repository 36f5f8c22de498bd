#include "collector/hypeman/disk.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace hypeman::collector {

Result<Disk> read_disk(const Guests& guests, std::string_view id, std::time_t now) {
  constexpr std::uint64_t bytes_per_block = 512;  // of st_blocks, on every file system
  const auto directory = guests.directory_of(id, now);
  if (!directory) {
    return tl::unexpected{directory.error()};
  }
  struct stat status {};
  if (::lstat((guests.path_of(*directory) + "/overlay.raw").c_str(), &status) != 0) {
    return last_failure();
  }
  if (!S_ISREG(status.st_mode)) {
    return failure(ENOENT);
  }
  return Disk{.size_bytes = static_cast<std::uint64_t>(status.st_size),
              .allocated_bytes = static_cast<std::uint64_t>(status.st_blocks) * bytes_per_block};
}

}  // namespace hypeman::collector
