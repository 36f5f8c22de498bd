#pragma once

#include <memory>

#include <spdlog/logger.h>

#include "fs/daemon/daemonize.hpp"
#include "fs/daemon/mount.hpp"
#include "fs/daemon/worker.hpp"

namespace hypeman::fs {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE in this process and in its future children. The
/// monitor process waits for SIGINT and SIGTERM. SIGHUP and SIGPIPE have no effect.
void block_signals();

/// Separates privileges: forks the worker process and makes this process its monitor. The monitor
/// keeps only the capabilities that it needs to unmount. When the mount answers, it notifies the
/// parent and the service manager. It unmounts and ends after SIGINT or SIGTERM, after somebody
/// else has unmounted, and when the worker ends for any reason. The worker ends when the monitor
/// does.
///
/// Returns in both processes, each with its own exit status. Failures have been reported by then.
[[nodiscard]] int run_monitor(Mount mount, std::unique_ptr<Worker> worker, ParentConnection parent,
                              const std::shared_ptr<spdlog::logger>& logger);

}  // namespace hypeman::fs
