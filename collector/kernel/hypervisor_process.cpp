#include "collector/kernel/hypervisor_process.hpp"

#include <string>

#include "base/file.hpp"
#include "collector/kernel/proc_pid_cmdline.hpp"

namespace hypeman::collector {
namespace {

/// A process that is gone has no directory any more (ENOENT), or one that answers ESRCH.
std::error_code as_gone(std::error_code error) {
  return error == std::errc::no_such_file_or_directory
             ? std::make_error_code(std::errc::no_such_process)
             : error;
}

Result<UniqueFd> open_process_file(int process, const char* name) {
  return open_kernel_file(process, name).map_error(as_gone);
}

/// Whether `process`, a descriptor of /proc/<pid>, names `socket_path` on its command line.
Result<bool> names_socket(int process, const std::string& socket_path) {
  if (!socket_path.starts_with('/') || socket_path.find('\0') != std::string::npos) {
    return false;
  }
  return open_process_file(process, "cmdline")
      .and_then([](const UniqueFd& fd) { return read_proc_pid_cmdline(fd.get()); })
      .map([&](const std::string& line) { return command_line_names(line, socket_path); });
}

Result<bool> is_recorded_process(const Procfs& procfs, const RecordedProcess& recorded, int process,
                                 const ProcPidStat& stat) {
  const bool start_time_known = recorded.start_time_ticks != 0;
  const bool boot_known = !recorded.boot_id.empty() && !procfs.boot_id.empty();
  if (start_time_known && recorded.start_time_ticks != stat.start_time_ticks) {
    return false;
  }
  if (boot_known && recorded.boot_id != procfs.boot_id) {
    return false;
  }
  if (start_time_known && boot_known) {
    return true;
  }
  return names_socket(process, recorded.socket_path);
}

}  // namespace

Result<HypervisorProcess> HypervisorProcess::pin(const Procfs& procfs,
                                                 const RecordedProcess& recorded) {
  // All files are opened through one descriptor of the process's directory, which stays that
  // process's: no two of them can belong to different owners of the PID.
  const auto process =
      open_directory_at(procfs.root.get(), std::to_string(recorded.pid).c_str()).map_error(as_gone);
  if (!process) {
    return tl::unexpected{process.error()};
  }
  auto stat = open_process_file(process->get(), "stat");
  if (!stat) {
    return tl::unexpected{stat.error()};
  }
  auto statm = open_process_file(process->get(), "statm");
  if (!statm) {
    return tl::unexpected{statm.error()};
  }
  const auto now = read_proc_pid_stat(stat->get());
  if (!now) {
    return tl::unexpected{now.error()};
  }
  if (!now->alive()) {
    return failure(ESRCH);
  }
  const auto recognised = is_recorded_process(procfs, recorded, process->get(), *now);
  if (!recognised) {
    return tl::unexpected{recognised.error()};
  }
  if (!*recognised) {
    return failure(ESRCH);
  }
  return HypervisorProcess{*std::move(stat), *std::move(statm)};
}

}  // namespace hypeman::collector
