#include "base/directory.hpp"

#include <cerrno>
#include <memory>

#include <dirent.h>

#include "base/file.hpp"

namespace hypeman {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Result<void> for_each_entry(
    int directory, const char* path,
    const std::function<bool(std::string_view name, unsigned char type)>& visit) {
  auto fd = open_directory_at(directory, path);
  if (!fd) {
    return tl::unexpected{fd.error()};
  }
  const std::unique_ptr<DIR, CloseDirectory> stream{::fdopendir(fd->get())};
  if (stream == nullptr) {
    return last_failure();
  }
  static_cast<void>(fd->release());  // the stream closes it
  for (;;) {
    errno = 0;
    const auto* const entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) {
        return last_failure();
      }
      return {};
    }
    const std::string_view name{&entry->d_name[0]};
    if (name != "." && name != ".." && !visit(name, entry->d_type)) {
      return {};
    }
  }
}

}  // namespace hypeman
