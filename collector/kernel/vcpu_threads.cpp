#include "collector/kernel/vcpu_threads.hpp"

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/decimal.hpp"
#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/proc_pid_schedstat.hpp"
#include "collector/kernel/proc_pid_stat.hpp"

namespace hypeman::collector {
namespace {

constexpr std::size_t max_threads = 4096;  // a hypervisor has a few tens, besides its vCPUs
constexpr std::chrono::seconds rest{1};    // before the threads are looked for again

/// A thread of the process, as its stat file shows it.
struct Found {
  pid_t tid = 0;
  std::uint64_t start_time_ticks = 0;
  std::optional<unsigned> vcpu = {};  ///< from its name
  bool has_run_guest_code = false;
};

std::string file_of(pid_t tid, std::string_view name) {
  return "task/" + std::to_string(tid) + "/" + std::string{name};
}

/// The number in the name of a thread that runs a vCPU.
std::optional<unsigned> vcpu_number(std::string_view thread_name) {
  struct Form {
    std::string_view begin;
    bool has_suffix = false;  // a slash and the name of the accelerator
  };
  constexpr std::array forms{Form{"vcpu"}, Form{"fc_vcpu "}, Form{"CPU ", true}};
  for (const auto& form : forms) {
    if (thread_name.starts_with(form.begin)) {
      thread_name.remove_prefix(form.begin.size());
      const auto end = form.has_suffix ? thread_name.find('/') : thread_name.size();
      return end == std::string_view::npos ? std::nullopt
                                           : parse_decimal<unsigned>(thread_name.substr(0, end));
    }
  }
  return std::nullopt;
}

/// Whether a file of a thread does not exist any more.
bool has_ended(std::error_code error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::no_such_process;
}

Result<Found> examine(int process, pid_t tid) {
  std::array<char, 2048> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  const auto fd = open_kernel_file(process, file_of(tid, "stat").c_str());
  const auto text =
      fd.and_then([&](const UniqueFd& file) { return read_snapshot(file.get(), buffer); });
  return text.and_then(parse_proc_pid_stat).map([&](const ProcPidStat& stat) {
    return Found{.tid = tid,
                 .start_time_ticks = stat.start_time_ticks,
                 .vcpu = vcpu_number(command_name(*text)),
                 .has_run_guest_code = stat.guest_ticks > 0};
  });
}

Result<std::vector<Found>> examine_all(int process) {
  std::vector<pid_t> tids;
  const auto listed =
      for_each_entry(process, "task", [&](std::string_view name, unsigned char /*type*/) {
        if (const auto tid = parse_decimal<pid_t>(name)) {
          tids.push_back(*tid);
        }
        return tids.size() < max_threads;
      });
  if (!listed) {
    return tl::unexpected{listed.error()};
  }
  std::vector<Found> threads;
  for (const auto tid : tids) {
    if (const auto thread = examine(process, tid)) {
      threads.push_back(*thread);
    } else if (!has_ended(thread.error())) {
      return tl::unexpected{thread.error()};
    }
  }
  return threads;
}

/// Leaves only the threads of vCPUs and gives each one the number of its vCPU.
void keep_vcpus(std::vector<Found>& threads, unsigned count) {
  const bool have_names =
      std::ranges::any_of(threads, [](const Found& one) { return one.vcpu.has_value(); });
  // All lack a number if they have no names.
  std::ranges::sort(threads, {}, [](const Found& one) {
    return std::tie(one.vcpu, one.start_time_ticks, one.tid);
  });
  if (have_names) {
    std::erase_if(threads,
                  [&](const Found& one) { return !one.vcpu.has_value() || *one.vcpu >= count; });
    const auto is_same = [](const Found& a, const Found& b) { return a.vcpu == b.vcpu; };
    threads.erase(std::unique(threads.begin(), threads.end(), is_same), threads.end());
    return;
  }
  std::erase_if(threads, [](const Found& one) { return !one.has_run_guest_code; });
  if (threads.size() != count) {
    threads.clear();  // the numbers would be a guess
  }
  for (unsigned number = 0; number < threads.size(); ++number) {
    threads[number].vcpu = number;
  }
}

void raise_to(std::atomic<std::uint64_t>& highest, std::uint64_t value) {
  auto before = highest.load();
  while (before < value && !highest.compare_exchange_weak(before, value)) {
  }
}

}  // namespace

/// A thread that runs a vCPU. Its file stays open, so it never shows another thread.
class VcpuThreads::Thread {
 public:
  Thread(const Found& found, UniqueFd schedstat)
      : tid_{found.tid},
        start_time_ticks_{found.start_time_ticks},
        number_{found.vcpu.value_or(0)},
        schedstat_{std::move(schedstat)} {}

  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] bool has_ended() const { return has_ended_; }
  [[nodiscard]] bool is_same(const Thread& other) const {
    return tid_ == other.tid_ && start_time_ticks_ == other.start_time_ticks_;
  }

  /// Adds the times of the thread that has run the vCPU before.
  void continue_from(const Thread& earlier) {
    const auto times = earlier.last();
    earlier_run_ = times.run_nanoseconds;
    earlier_wait_ = times.wait_nanoseconds;
  }

  [[nodiscard]] Result<VcpuTimes> read() {
    const auto now = read_proc_pid_schedstat(schedstat_.get());
    if (now) {
      raise_to(run_, now->run_nanoseconds);
      raise_to(wait_, now->wait_nanoseconds);
    } else if (now.error() == std::errc::no_such_process) {
      has_ended_ = true;
    } else {
      return tl::unexpected{now.error()};
    }
    return last();
  }

 private:
  [[nodiscard]] VcpuTimes last() const {
    return {.number = number_,
            .run_nanoseconds = earlier_run_ + run_,
            .wait_nanoseconds = earlier_wait_ + wait_};
  }

  const pid_t tid_;
  const std::uint64_t start_time_ticks_;
  const unsigned number_;
  const UniqueFd schedstat_;
  std::uint64_t earlier_run_ = 0;
  std::uint64_t earlier_wait_ = 0;
  std::atomic<std::uint64_t> run_ = 0;
  std::atomic<std::uint64_t> wait_ = 0;
  std::atomic<bool> has_ended_ = false;
};

VcpuThreads::VcpuThreads(std::function<Clock::time_point()> now) : now_{std::move(now)} {}

VcpuThreads::~VcpuThreads() = default;

Result<VcpuThreads::Threads> VcpuThreads::find(int process, unsigned count) {
  auto examined = examine_all(process);
  if (!examined) {
    return tl::unexpected{examined.error()};
  }
  keep_vcpus(*examined, count);
  Threads threads;
  for (const auto& one : *examined) {
    auto schedstat = open_kernel_file(process, file_of(one.tid, "schedstat").c_str());
    if (schedstat) {
      threads.push_back(std::make_shared<Thread>(one, *std::move(schedstat)));
    } else if (!has_ended(schedstat.error())) {
      return tl::unexpected{schedstat.error()};
    }
  }
  return threads;
}

std::shared_ptr<const VcpuThreads::Threads> VcpuThreads::known(unsigned count,
                                                               bool& may_look) const {
  const std::lock_guard lock{mutex_};
  may_look = !looked_;
  if (looked_ && (threads_->size() < count || std::ranges::any_of(*threads_, &Thread::has_ended))) {
    may_look = now_() - *looked_ >= rest;
  }
  return threads_;
}

/// Keeps the threads that were known before, and those that have ended. Another thread may have
/// found the same ones at the same time.
std::shared_ptr<const VcpuThreads::Threads> VcpuThreads::add(Threads found) const {
  const std::lock_guard lock{mutex_};
  auto all = *threads_;
  for (auto& one : found) {
    const auto before =
        std::ranges::find(all, one->number(), [](const auto& thread) { return thread->number(); });
    if (before == all.end()) {
      all.push_back(one);
    } else if (!(*before)->is_same(*one)) {
      one->continue_from(**before);
      *before = one;
    }
  }
  std::ranges::sort(all, {}, [](const auto& thread) { return thread->number(); });
  threads_ = std::make_shared<const Threads>(std::move(all));
  looked_ = now_();
  return threads_;
}

Result<std::vector<VcpuTimes>> VcpuThreads::read(int process, std::uint64_t count) const {
  const auto shown = static_cast<unsigned>(std::min<std::uint64_t>(count, max_vcpus));
  bool may_look = false;
  auto threads = known(shown, may_look);
  if (may_look) {
    auto found = find(process, shown);
    if (!found) {
      return found.error() == std::errc::no_such_file_or_directory ? failure(ESRCH)
                                                                   : tl::unexpected{found.error()};
    }
    threads = add(*std::move(found));
  }
  std::vector<VcpuTimes> all;
  all.reserve(threads->size());
  for (const auto& thread : *threads) {
    if (thread->number() >= shown) {
      break;
    }
    const auto times = thread->read();
    if (!times) {
      return tl::unexpected{times.error()};
    }
    all.push_back(*times);
  }
  return all;
}

std::size_t VcpuThreads::descriptors() const {
  const std::lock_guard lock{mutex_};
  return threads_->size();
}

}  // namespace hypeman::collector
