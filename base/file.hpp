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

/// Opens a directory by path and follows symlinks: for directories that the operator named.
[[nodiscard]] Result<UniqueFd> open_directory(const std::string& path);

/// Opens a directory below `directory` for listing. Follows symlinks.
[[nodiscard]] Result<UniqueFd> open_directory_at(int directory, const char* path);

/// Opens a kernel file (procfs, sysfs) below `directory`. Follows symlinks: they are the kernel's.
[[nodiscard]] Result<UniqueFd> open_kernel_file(int directory, const char* path);

/// Opens a file below `directory` that is not trusted: follows no symlink in any component, never
/// leaves `directory`, never blocks on a FIFO or a device. `flags` are those of open(2). The caller
/// must still check that the file is a regular one. ELOOP: a component is a symlink.
[[nodiscard]] Result<UniqueFd> open_beneath(int directory, const char* path, int flags = O_RDONLY);

/// Reads at `offset` with one pread(2). The text is a prefix of `buffer`; empty at the end.
[[nodiscard]] Result<std::string_view> read_at(int fd, std::span<char> buffer, std::size_t offset);

/// Reads a kernel file whole with one pread(2): one call is one snapshot. The text is a prefix of
/// `buffer`. EOVERFLOW: the file may be larger than the buffer.
[[nodiscard]] Result<std::string_view> read_snapshot(int fd, std::span<char> buffer);

/// Reads from offset 0 to the end. EFBIG: the file holds more than `limit` bytes.
[[nodiscard]] Result<std::string> read_whole(int fd, std::size_t limit);

}  // namespace hypeman
