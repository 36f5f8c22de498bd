#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "collector/result.hpp"
#include "collector/unique_fd.hpp"

/// The few ways in which files are opened and read. All functions are thread-safe and retry EINTR.
namespace hypeman::collector {

/// Opens a directory by path, following symlinks: for roots that the operator named.
[[nodiscard]] Result<UniqueFd> open_directory(const std::string& path);

/// Opens a directory below `directory` for listing.
[[nodiscard]] Result<UniqueFd> open_directory_at(int directory, const char* path);

/// Opens a kernel file (procfs, sysfs) below `directory`, whose symlinks are the kernel's own.
[[nodiscard]] Result<UniqueFd> open_kernel_file(int directory, const char* path);

/// Opens a file below `directory` whose content and kind nobody vouches for: follows no symlink
/// in any component, never leaves `directory`, never blocks on a FIFO or a device.
/// ELOOP: a symlink is in the way. The caller still has to insist on a regular file.
[[nodiscard]] Result<UniqueFd> open_untrusted(int directory, const char* path);

/// Reads from offset 0 with one pread, as kernel files are meant to be read: one call is one
/// snapshot. The text is a prefix of `buffer`; EOVERFLOW if it might not have fitted.
[[nodiscard]] Result<std::string_view> read_snapshot(int fd, std::span<char> buffer);

/// Reads from offset 0 to the end. EFBIG if there are more than `limit` bytes.
[[nodiscard]] Result<std::string> read_whole(int fd, std::size_t limit);

}  // namespace hypeman::collector
