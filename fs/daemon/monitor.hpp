#pragma once

#include <memory>

#include <spdlog/logger.h>

#include "fs/daemon/daemonize.hpp"
#include "fs/daemon/mount.hpp"
#include "fs/daemon/worker.hpp"

namespace hypeman::fs {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE in this process and those that it forks: from then on
/// only keep() takes notice of the first two, and nobody of the others.
void block_signals();

/// Makes two processes of this one: the worker in a child, and its keeper here, which has the power
/// to unmount, and no other. When the mount answers, the start has succeeded, and the service
/// manager is told. Ends, with the mount unmounted, upon SIGINT, SIGTERM, an unmount from outside,
/// or the end of the worker, whichever way that comes; the worker ends with its keeper. Gives the
/// exit status, in each of the two its own; the reason of a failure has been told.
[[nodiscard]] int keep(Mount mount, std::unique_ptr<Worker> worker, Startup startup,
                       const std::shared_ptr<spdlog::logger>& logger);

}  // namespace hypeman::fs
