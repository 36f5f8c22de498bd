#include "collector/kernel/pinned_file.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::collector {

PinnedFile::~PinnedFile() {
  const UniqueFd owned{fd_};
}

Result<int> PinnedFile::open(int directory, const char* path) const {
  if (const int fd = fd_; fd >= 0) {
    return fd;
  }
  auto opened = open_kernel_file(directory, path);
  if (!opened) {
    return tl::unexpected{opened.error()};
  }
  // Two threads may open the file at the same time. Then both use the descriptor of the first one.
  int kept = -1;
  if (fd_.compare_exchange_strong(kept, opened->get())) {
    return opened->release();
  }
  return kept;
}

}  // namespace hypeman::collector
