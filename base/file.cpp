#include "base/file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hypeman {
namespace {

template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

template <class Call>
Result<UniqueFd> open_with(Call call) {
  UniqueFd fd{static_cast<int>(retry_interrupted(call))};
  if (!fd) {
    return last_failure();
  }
  return fd;
}

Result<UniqueFd> open_at(int directory, const char* path, int flags) {
  return open_with([&] { return ::openat(directory, path, flags | O_CLOEXEC); });
}

}  // namespace

Result<UniqueFd> open_directory(const std::string& path) {
  return open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> open_directory_at(int directory, const char* path) {
  return open_at(directory, path, O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> open_kernel_file(int directory, const char* path) {
  return open_at(directory, path, O_RDONLY);
}

Result<UniqueFd> open_beneath(int directory, const char* path, int flags) {
  // openat2(2) does not allow O_NONBLOCK and O_NOCTTY together with O_PATH. O_PATH never blocks.
  const int no_wait = (flags & O_PATH) == 0 ? O_NONBLOCK | O_NOCTTY : 0;
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(flags | no_wait | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return open_with([&] { return ::syscall(SYS_openat2, directory, path, &how, sizeof how); });
}

Result<std::string_view> read_at(int fd, std::span<char> buffer, std::size_t offset) {
  const auto length = retry_interrupted(
      [&] { return ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset)); });
  if (length < 0) {
    return last_failure();
  }
  return std::string_view{buffer.data(), static_cast<std::size_t>(length)};
}

Result<std::string_view> read_snapshot(int fd, std::span<char> buffer) {
  auto text = read_at(fd, buffer, 0);
  if (text && text->size() == buffer.size()) {
    return failure(EOVERFLOW);
  }
  return text;
}

Result<std::string> read_whole(int fd, std::size_t limit) {
  constexpr std::size_t chunk = 4096;
  std::string text;
  for (;;) {
    const auto used = text.size();
    text.resize(used + chunk);
    const auto more = read_at(fd, std::span{text}.subspan(used), used);
    if (!more) {
      return tl::unexpected{more.error()};
    }
    text.resize(used + more->size());
    if (text.size() > limit) {
      return failure(EFBIG);
    }
    if (more->empty()) {
      return text;
    }
  }
}

}  // namespace hypeman
