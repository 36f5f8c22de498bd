#include "collector/kernel/process.hpp"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/file.hpp"
#include "collector/kernel/proc_pid_cmdline.hpp"
#include "collector/kernel/proc_pid_status.hpp"

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

Result<int> open_process_file(const PinnedFile& file, const UniqueFd& directory, const char* name) {
  return file.open(directory.get(), name).map_error(as_gone);
}

/// ESRCH: the process does not run as root or as the owner of the VM. The owner of /proc/<pid> does
/// not tell this: it is root if the process may not be dumped. `directory` is a descriptor of
/// /proc/<pid>.
Result<void> check_user(int directory, uid_t owner) {
  return open_process_file(directory, "status")
      .and_then([](const UniqueFd& fd) { return read_proc_pid_status(fd.get()); })
      .and_then([&](const ProcPidStatus& status) -> Result<void> {
        const auto is_allowed = [&](uid_t user) { return user == 0 || user == owner; };
        if (!is_allowed(status.real_user) || !is_allowed(status.effective_user)) {
          return failure(ESRCH);
        }
        return {};
      });
}

}  // namespace

Result<ProcPidStat> Process::read_stat() const {
  return open_process_file(stat_, directory_, "stat").and_then(read_proc_pid_stat);
}

Result<ProcPidStatm> Process::read_statm() const {
  return open_process_file(statm_, directory_, "statm").and_then(read_proc_pid_statm);
}

Result<ProcPidMemory> Process::read_memory() const {
  return open_process_file(status_, directory_, "status").and_then(read_proc_pid_memory);
}

std::size_t Process::descriptors() const {
  std::size_t count = 1 + vcpus_.descriptors();
  for (const auto* const file : {&stat_, &statm_, &status_}) {
    count += file->is_open() ? 1 : 0;
  }
  return count;
}

Result<Candidate> Candidate::open(const Procfs& procfs, const ProcessIdentity& identity) {
  const bool start_time_known = identity.start_time_ticks != 0;
  const bool boot_known = !identity.boot_id.empty() && !procfs.boot_id.empty();
  if (boot_known && identity.boot_id != procfs.boot_id) {
    return failure(ESRCH);
  }
  // All files are opened below one descriptor of the process's directory. The descriptor never
  // refers to another process, so all files belong to the same process.
  auto opened =
      open_directory_at(procfs.root.get(), std::to_string(identity.pid).c_str()).map_error(as_gone);
  if (!opened) {
    return tl::unexpected{opened.error()};
  }
  const int directory = opened->get();
  Candidate candidate;
  candidate.process_ = std::make_shared<const Process>(*std::move(opened));
  const auto now = candidate.process_->read_stat();
  if (!now) {
    return tl::unexpected{now.error()};
  }
  if (!now->alive() || (start_time_known && identity.start_time_ticks != now->start_time_ticks)) {
    return failure(ESRCH);
  }
  candidate.must_name_the_socket_ = !start_time_known || !boot_known;
  if (candidate.must_name_the_socket_) {
    if (const auto checked = check_user(directory, identity.owner); !checked) {
      return tl::unexpected{checked.error()};
    }
  }
  if (SocketSearch::is_possible(identity.socket_path)) {
    auto command_line = open_process_file(directory, "cmdline");
    if (!command_line) {
      return tl::unexpected{command_line.error()};
    }
    candidate.command_line_ = *std::move(command_line);
  } else if (candidate.must_name_the_socket_) {
    return failure(ESRCH);
  }
  return candidate;
}

Result<void> Candidate::check_command_line(const ProcessIdentity& identity) {
  const auto command_line = std::move(command_line_);
  const auto named = SocketSearch{identity.socket_path}.read_proc_pid_cmdline(command_line.get());
  if (!named && named.error() != std::errc::file_too_large) {
    return tl::unexpected{named.error()};
  }
  if (!named || *named == NamedSocket::of_another_vm ||
      (*named == NamedSocket::none && must_name_the_socket_)) {
    return failure(ESRCH);
  }
  return {};
}

}  // namespace hypeman::collector
