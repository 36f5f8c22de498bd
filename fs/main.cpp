#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <variant>

#include <fuse_lowlevel.h>
#include <sysexits.h>

#include "collector/host.hpp"
#include "collector/instances.hpp"
#include "fs/log.hpp"
#include "fs/mount.hpp"
#include "fs/options.hpp"
#include "fs/server.hpp"
#include "fs/tree.hpp"

namespace {

using namespace hypeman;  // NOLINT(google-build-using-namespace): the program's own

int fail(int status, const std::string& problem) {
  std::cerr << "hypeman-statsfs: " << problem << '\n';
  return status;
}

/// Each running instance keeps four descriptors open.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int run(const fs::Options& options) {
  fs::block_signals();
  raise_descriptor_limit();

  const auto logger = fs::make_logger(options.foreground);
  auto host = collector::Host::open({.data_dir = options.data_dir}, logger);
  if (!host) {
    return fail(EX_NOINPUT, host.error());
  }
  collector::Instances instances{*host};
  fs::Tree tree{instances, options.access};

  const auto mountpoint = fs::prepare_mountpoint(options.mountpoint);
  if (!mountpoint) {
    return fail(EX_UNAVAILABLE, mountpoint.error());
  }
  auto mount = fs::Mount::create({.source = options.data_dir,
                                  .mountpoint = *mountpoint,
                                  .check_permissions = !options.access.everybody()});
  if (!mount) {
    return fail(::geteuid() == 0 ? EX_OSERR : EX_NOPERM, mount.error());
  }
  // Before any thread starts: none would survive the fork.
  if (!options.foreground && ::fuse_daemonize(/*foreground=*/0) != 0) {
    return fail(EX_OSERR, "cannot go to the background; use -f");
  }
  if (const auto served = fs::serve(*mount, tree); !served) {
    logger->error("{}", served.error());
    return EX_SOFTWARE;
  }
  return EX_OK;
}

}  // namespace

int main(int argc, char* argv[]) {
  try {
    const auto parsed = fs::parse_command_line({argv, static_cast<std::size_t>(argc)});
    if (const auto* const exit = std::get_if<fs::Exit>(&parsed)) {
      (exit->status == EX_OK ? std::cout : std::cerr) << exit->text;
      return exit->status;
    }
    return run(std::get<fs::Options>(parsed));
  } catch (const std::exception& error) {
    return fail(EX_SOFTWARE, error.what());
  }
}
