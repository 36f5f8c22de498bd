#include "collector/file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace hypeman::collector {
namespace {

template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

Result<UniqueFd> open_at(int directory, const char* path, int flags) {
  UniqueFd fd{static_cast<int>(
      retry_interrupted([&] { return ::openat(directory, path, flags | O_CLOEXEC); }))};
  if (!fd) {
    return last_failure();
  }
  return fd;
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

Result<UniqueFd> open_untrusted(int directory, const char* path) {
  struct open_how how {};
  how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  UniqueFd fd{static_cast<int>(retry_interrupted(
      [&] { return ::syscall(SYS_openat2, directory, path, &how, sizeof how); }))};
  if (!fd) {
    return last_failure();
  }
  return fd;
}

Result<std::string_view> read_snapshot(int fd, std::span<char> buffer) {
  const auto length =
      retry_interrupted([&] { return ::pread(fd, buffer.data(), buffer.size(), 0); });
  if (length < 0) {
    return last_failure();
  }
  if (static_cast<std::size_t>(length) == buffer.size()) {
    return failure(EOVERFLOW);
  }
  return std::string_view{buffer.data(), static_cast<std::size_t>(length)};
}

Result<std::string> read_whole(int fd, std::size_t limit) {
  constexpr std::size_t chunk = 4096;
  std::string text;
  for (;;) {
    const auto used = text.size();
    text.resize(used + chunk);
    const auto length = retry_interrupted(
        [&] { return ::pread(fd, text.data() + used, chunk, static_cast<off_t>(used)); });
    if (length < 0) {
      return last_failure();
    }
    text.resize(used + static_cast<std::size_t>(length));
    if (text.size() > limit) {
      return failure(EFBIG);
    }
    if (length == 0) {
      return text;
    }
  }
}

}  // namespace hypeman::collector
