#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <utility>
#include <variant>

#include <malloc.h>
#include <sysexits.h>

#include "base/descriptor_limit.hpp"
#include "collector/instances/host.hpp"
#include "fs/daemon/daemonize.hpp"
#include "fs/daemon/log.hpp"
#include "fs/daemon/monitor.hpp"
#include "fs/daemon/mount.hpp"
#include "fs/daemon/options.hpp"
#include "fs/daemon/worker.hpp"
#include "fs/sandbox/user.hpp"

namespace {

using namespace hypeman;  // NOLINT(google-build-using-namespace): the program's own

/// Opens /dev/null for each standard stream that the caller has closed. Otherwise the next files
/// that the process opens would become standard streams.
bool open_standard_streams() {
  constexpr std::array streams{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  return std::ranges::all_of(streams, [](int stream) {
    return ::fcntl(stream, F_GETFD) >= 0 || ::open("/dev/null", O_RDWR | O_CLOEXEC) == stream;
  });
}

/// Makes glibc return most freed memory to the kernel. Otherwise each thread would keep as much
/// memory as the largest file has ever needed. Some free memory is kept: otherwise every read would
/// need new memory from the kernel, which takes longer than rendering a thousand VMs.
void configure_malloc() {
  constexpr int kept_bytes = 4 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kept_bytes);
  ::mallopt(M_TRIM_THRESHOLD, kept_bytes);
  ::mallopt(M_ARENA_MAX, 2);
}

/// Closes all descriptors except the standard streams. Otherwise the sandboxed process could use
/// the descriptors that the caller left open.
void close_inherited_descriptors() {
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
}

/// Mounts, then runs the monitor and the worker process. Returns the exit status in both processes.
int run(const fs::Options& options, fs::ParentConnection parent) {
  raise_descriptor_limit();  // each running instance keeps several files open
  configure_malloc();

  const auto logger = fs::make_logger(options.foreground);
  auto user = options.run_as ? options.run_as : fs::default_user();
  if (!user) {
    return fs::fail(EX_NOUSER,
                    "there is no user hypeman-statsfs and no user nobody; "
                    "name a user with -o run_as=USER");
  }
  auto host = collector::Host::open({.data_dir = options.data_dir}, logger);
  if (!host) {
    return fs::fail(EX_NOINPUT, host.error());
  }
  const auto mountpoint = fs::prepare_mountpoint(options.mountpoint, host->guests.path());
  if (!mountpoint) {
    return fs::fail(mountpoint.error().status, mountpoint.error().message);
  }
  // Until now, a signal ends the process at once, even if the data directory hangs. After this, the
  // monitor handles the signals: it must unmount.
  fs::block_signals();
  auto mount = fs::Mount::create({.source = options.data_dir,
                                  .mountpoint = *mountpoint,
                                  .default_permissions = !options.access.everybody()});
  if (!mount) {
    return fs::fail(mount.error().status, mount.error().message);
  }
  const auto log = options.foreground ? fs::LogTarget::standard_error : fs::LogTarget::syslog;
  auto worker = std::make_unique<fs::Worker>(*std::move(host), options.access, *std::move(user),
                                             log, options.transport);
  return fs::run_monitor(*std::move(mount), std::move(worker), std::move(parent), logger);
}

int start(const fs::Options& options) {
  close_inherited_descriptors();
  if (options.foreground) {
    return run(options, fs::ParentConnection{});
  }
  auto daemonized = fs::daemonize();
  if (!daemonized) {
    return fs::fail(EX_OSERR, daemonized.error());
  }
  if (const auto* const status = std::get_if<int>(&*daemonized)) {
    return *status;
  }
  return run(options, std::get<fs::ParentConnection>(*std::move(daemonized)));
}

}  // namespace

int main(int argc, char* argv[]) {
  if (!open_standard_streams()) {
    return EX_OSERR;
  }
  // The caller may have ignored SIGCHLD, and children inherit that. Then the kernel would discard
  // the exit status of a child.
  std::signal(SIGCHLD, SIG_DFL);
  try {
    const auto parsed = fs::parse_command_line({argv, static_cast<std::size_t>(argc)});
    if (const auto* const exit = std::get_if<fs::Exit>(&parsed)) {
      (exit->status == EX_OK ? std::cout : std::cerr) << exit->text;
      return exit->status;
    }
    return start(std::get<fs::Options>(parsed));
  } catch (const std::exception& error) {
    return fs::fail(EX_SOFTWARE, error.what());
  }
}
