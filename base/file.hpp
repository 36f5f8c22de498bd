#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

/// How files are opened and read. All functions are thread-safe and retry EINTR. Every descriptor
/// is close-on-exec.
namespace hypeman {

/// Opens a directory by path. Follows symlinks, so the path must come from the operator.
[[nodiscard]] Result<UniqueFd> open_directory(const std::string& path);

/// Opens a directory below `directory` for listing. Follows symlinks.
[[nodiscard]] Result<UniqueFd> open_directory_at(int directory, const char* path);

/// Opens a kernel file (procfs, sysfs) below `directory`. Follows symlinks, because the kernel made
/// them.
[[nodiscard]] Result<UniqueFd> open_kernel_file(int directory, const char* path);

/// Opens a file below `directory` that is not trusted: follows no symlink in any component, never
/// leaves `directory`, and never blocks on a FIFO or a device. `flags` are those of open(2). The
/// caller must still check that the file is a regular one. ELOOP: a component is a symlink.
[[nodiscard]] Result<UniqueFd> open_beneath(int directory, const char* path, int flags = O_RDONLY);

/// Reads at `offset` with one pread(2). The result is the part of `buffer` that was filled; it is
/// empty at the end of the file.
[[nodiscard]] Result<std::string_view> read_at(int fd, std::span<char> buffer, std::size_t offset);

/// Reads a whole kernel file with one pread(2), so all of it is from the same moment. The result is
/// the part of `buffer` that was filled. EOVERFLOW: the file may be larger than the buffer.
[[nodiscard]] Result<std::string_view> read_snapshot(int fd, std::span<char> buffer);

/// Reads a file from offset 0 to its end. EFBIG: the file holds more than `limit` bytes.
[[nodiscard]] Result<std::string> read_whole(int fd, std::size_t limit);

}  // namespace hypeman
