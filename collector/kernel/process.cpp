#include "collector/kernel/process.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include "base/file.hpp"
#include "collector/kernel/proc_pid_cmdline.hpp"

namespace hypeman::collector {
namespace {

/// If a process is gone, its directory does not exist (ENOENT), or reads of its files fail with
/// ESRCH.
std::error_code as_gone(std::error_code error) {
  return error == std::errc::no_such_file_or_directory
             ? std::make_error_code(std::errc::no_such_process)
             : error;
}

Result<UniqueFd> open_process_file(int directory, const char* name) {
  return open_kernel_file(directory, name).map_error(as_gone);
}

/// Whether the command line holds `socket_path`. `directory` is a descriptor of /proc/<pid>.
Result<bool> names_socket(int directory, const std::string& socket_path) {
  if (!socket_path.starts_with('/') || socket_path.find('\0') != std::string::npos) {
    return false;
  }
  return open_process_file(directory, "cmdline")
      .and_then([](const UniqueFd& fd) { return read_proc_pid_cmdline(fd.get()); })
      .map([&](const std::string& line) { return command_line_names(line, socket_path); });
}

Result<bool> is_meant(const Procfs& procfs, const ProcessIdentity& identity, int directory,
                      const ProcPidStat& stat) {
  const bool start_time_known = identity.start_time_ticks != 0;
  const bool boot_known = !identity.boot_id.empty() && !procfs.boot_id.empty();
  if (start_time_known && identity.start_time_ticks != stat.start_time_ticks) {
    return false;
  }
  if (boot_known && identity.boot_id != procfs.boot_id) {
    return false;
  }
  if (start_time_known && boot_known) {
    return true;
  }
  return names_socket(directory, identity.socket_path);
}

}  // namespace

Result<Process> Process::open(const Procfs& procfs, const ProcessIdentity& identity) {
  // Opens all files below one descriptor of the process's directory. The descriptor never refers to
  // another process, so all files belong to the same process.
  const auto directory =
      open_directory_at(procfs.root.get(), std::to_string(identity.pid).c_str()).map_error(as_gone);
  if (!directory) {
    return tl::unexpected{directory.error()};
  }
  auto stat = open_process_file(directory->get(), "stat");
  auto statm = open_process_file(directory->get(), "statm");
  const auto meant =
      stat.and_then([](const UniqueFd& fd) { return read_proc_pid_stat(fd.get()); })
          .and_then([&](const ProcPidStat& now) -> Result<bool> {
            return now.alive() ? is_meant(procfs, identity, directory->get(), now) : false;
          });
  if (!meant || !statm) {
    return tl::unexpected{meant ? statm.error() : meant.error()};
  }
  if (!*meant) {
    return failure(ESRCH);
  }
  return Process{*std::move(stat), *std::move(statm)};
}

}  // namespace hypeman::collector
