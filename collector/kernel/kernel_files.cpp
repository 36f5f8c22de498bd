#include "collector/kernel/kernel_files.hpp"

#include <cerrno>
#include <optional>
#include <utility>

namespace hypeman::collector {

/// A check of a command line, which another thread does.
struct KernelFiles::Check {
  ProcessIdentity identity;
  Candidate candidate;
  std::chrono::steady_clock::time_point deadline =
      std::chrono::steady_clock::now() + check_deadline;
  std::optional<Result<void>> result = {};  // nothing: it still runs
};

Result<std::shared_ptr<const Process>> KernelFiles::process(const Procfs& procfs,
                                                            const ProcessIdentity& identity) {
  {
    const std::lock_guard lock{mutex_};
    if (has_process_locked(identity)) {
      return process_;
    }
  }
  // Each caller does this, so a process that has ended is noticed even if its check hangs.
  auto candidate = Candidate::open(procfs, identity);
  if (!candidate) {
    return tl::unexpected{candidate.error()};
  }
  std::unique_lock lock{mutex_};
  if (has_process_locked(identity)) {
    return process_;
  }
  if (!candidate->needs_check()) {
    process_ = candidate->process();
    identity_ = identity;
    return process_;
  }
  auto check = check_;
  if (check == nullptr || check->identity != identity) {
    check =
        std::make_shared<Check>(Check{.identity = identity, .candidate = *std::move(candidate)});
    check_ = check;
    lock.unlock();
    const auto started = procfs.threads->run([self = shared_from_this(), check]() mutable {
      const auto result = check->candidate.check_command_line(check->identity);
      self->finish(std::move(check), result);
    });
    if (!started) {
      finish(check, started);
    }
    lock.lock();
  }
  checked_.wait_until(lock, check->deadline, [&] { return check->result.has_value(); });
  return check->result.value_or(failure(ETIMEDOUT)).map([&] { return check->candidate.process(); });
}

void KernelFiles::finish(std::shared_ptr<Check> check, const Result<void>& result) {
  const std::lock_guard lock{mutex_};
  check->result = result;
  // A check of a newer identity may have replaced this one.
  if (check_ == check) {
    check_ = nullptr;
    if (result) {
      process_ = check->candidate.process();
      identity_ = check->identity;
    }
  }
  check = nullptr;  // before a waiting caller returns, who may then count on close_all()
  checked_.notify_all();
}

bool KernelFiles::has_process(const ProcessIdentity& identity) const {
  const std::lock_guard lock{mutex_};
  return has_process_locked(identity);
}

Result<std::shared_ptr<const NetworkInterface>> KernelFiles::interface(int sys,
                                                                       std::string_view name) {
  {
    const std::lock_guard lock{mutex_};
    if (interface_ != nullptr) {
      return interface_;
    }
  }
  auto opened = NetworkInterface::open(sys, name);
  if (!opened) {
    return opened;
  }
  const std::lock_guard lock{mutex_};
  if (interface_ == nullptr) {
    interface_ = *opened;
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

std::size_t KernelFiles::descriptors() const {
  const std::lock_guard lock{mutex_};
  return (process_ == nullptr ? 0 : process_->descriptors()) +
         (interface_ == nullptr ? 0 : interface_->descriptors());
}

}  // namespace hypeman::collector
