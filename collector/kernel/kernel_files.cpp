#include "collector/kernel/kernel_files.hpp"

#include <utility>

namespace hypeman::collector {

Result<std::shared_ptr<const Process>> KernelFiles::process(const Procfs& procfs,
                                                            const ProcessIdentity& identity) {
  const std::lock_guard lock{mutex_};
  if (process_ == nullptr || identity_ != identity) {
    process_ = nullptr;
    auto opened = Process::open(procfs, identity);
    if (!opened) {
      return tl::unexpected{opened.error()};
    }
    process_ = std::make_shared<const Process>(*std::move(opened));
    identity_ = identity;
  }
  return process_;
}

Result<std::shared_ptr<const NetworkInterface>> KernelFiles::interface(int sys,
                                                                       std::string_view name) {
  const std::lock_guard lock{mutex_};
  if (interface_ == nullptr) {
    auto opened = NetworkInterface::open(sys, name);
    if (!opened) {
      return tl::unexpected{opened.error()};
    }
    interface_ = std::make_shared<const NetworkInterface>(*std::move(opened));
  }
  return interface_;
}

void KernelFiles::close(const std::shared_ptr<const Process>& process) {
  const std::lock_guard lock{mutex_};
  if (process_ == process) {
    process_ = nullptr;
  }
}

void KernelFiles::close(const std::shared_ptr<const NetworkInterface>& interface) {
  const std::lock_guard lock{mutex_};
  if (interface_ == interface) {
    interface_ = nullptr;
  }
}

void KernelFiles::close_all() {
  const std::lock_guard lock{mutex_};
  process_ = nullptr;
  interface_ = nullptr;
}

}  // namespace hypeman::collector
