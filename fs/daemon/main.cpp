#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <utility>
#include <variant>

#include <malloc.h>
#include <sysexits.h>

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

/// Each running instance keeps four descriptors open.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// glibc would keep whatever the rendering of the largest host has taken, once a thread. A little
/// is kept: memory that is new each time costs more than to render a thousand VMs.
void give_memory_back() {
  constexpr int kept = 4 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kept);
  ::mallopt(M_TRIM_THRESHOLD, kept);
  ::mallopt(M_ARENA_MAX, 2);
}

/// What the caller has left open besides the standard streams would stay open in the sandbox.
void close_inherited_descriptors() {
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
}

/// From the command line to the mount; from then on there are two processes.
int run(const fs::Options& options, fs::Startup startup) {
  fs::block_signals();
  raise_descriptor_limit();
  give_memory_back();

  const auto logger = fs::make_logger(options.foreground);
  auto user = options.run_as ? options.run_as : fs::default_user();
  if (!user) {
    return fs::fail(EX_NOUSER, "no user hypeman-statsfs or nobody; name one by -o run_as=USER");
  }
  auto host = collector::Host::open({.data_dir = options.data_dir}, logger);
  if (!host) {
    return fs::fail(EX_NOINPUT, host.error());
  }
  const auto mountpoint = fs::prepare_mountpoint(options.mountpoint);
  if (!mountpoint) {
    return fs::fail(EX_UNAVAILABLE, mountpoint.error());
  }
  auto mount = fs::Mount::create({.source = options.data_dir,
                                  .mountpoint = *mountpoint,
                                  .check_permissions = !options.access.everybody()});
  if (!mount) {
    return fs::fail(::geteuid() == 0 ? EX_OSERR : EX_NOPERM, mount.error());
  }
  const auto log = options.foreground ? fs::LogTarget::standard_error : fs::LogTarget::syslog;
  auto worker =
      std::make_unique<fs::Worker>(*std::move(host), options.access, *std::move(user), log);
  return fs::keep(*std::move(mount), std::move(worker), std::move(startup), logger);
}

int start(const fs::Options& options) {
  close_inherited_descriptors();
  if (options.foreground) {
    return run(options, fs::Startup::in_foreground());
  }
  auto started = fs::Startup::in_background();
  if (!started) {
    return fs::fail(EX_OSERR, started.error());
  }
  if (const auto* const status = std::get_if<int>(&*started)) {
    return *status;
  }
  return run(options, std::get<fs::Startup>(*std::move(started)));
}

}  // namespace

int main(int argc, char* argv[]) {
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
