#include "collector/kernel/pinned_files.hpp"

#include <utility>

namespace hypeman::collector {

Result<std::shared_ptr<const HypervisorProcess>> PinnedFiles::process(
    const Procfs& procfs, const RecordedProcess& recorded) {
  const std::lock_guard lock{mutex_};
  if (process_ == nullptr || pinned_as_ != recorded) {
    process_ = nullptr;
    auto pinned = HypervisorProcess::pin(procfs, recorded);
    if (!pinned) {
      return tl::unexpected{pinned.error()};
    }
    process_ = std::make_shared<const HypervisorProcess>(*std::move(pinned));
    pinned_as_ = recorded;
  }
  return process_;
}

Result<std::shared_ptr<const Tap>> PinnedFiles::tap(int sys, std::string_view instance_id) {
  const std::lock_guard lock{mutex_};
  if (tap_ == nullptr) {
    auto pinned = Tap::pin(sys, tap_name(instance_id));
    if (!pinned) {
      return tl::unexpected{pinned.error()};
    }
    tap_ = std::make_shared<const Tap>(*std::move(pinned));
  }
  return tap_;
}

void PinnedFiles::drop(const std::shared_ptr<const HypervisorProcess>& process) {
  const std::lock_guard lock{mutex_};
  if (process_ == process) {
    process_ = nullptr;
  }
}

void PinnedFiles::drop(const std::shared_ptr<const Tap>& tap) {
  const std::lock_guard lock{mutex_};
  if (tap_ == tap) {
    tap_ = nullptr;
  }
}

void PinnedFiles::drop_all() {
  const std::lock_guard lock{mutex_};
  process_ = nullptr;
  tap_ = nullptr;
}

}  // namespace hypeman::collector
