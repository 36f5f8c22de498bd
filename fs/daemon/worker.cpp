#include "fs/daemon/worker.hpp"

#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sysexits.h>

#include "base/end_process.hpp"
#include "base/file.hpp"
#include "base/logging.hpp"
#include "collector/hypeman/guests.hpp"
#include "collector/instances/instances.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "fs/fuse/request_loop.hpp"
#include "fs/ring/rings.hpp"
#include "fs/sandbox/hidepid.hpp"
#include "fs/sandbox/sandbox.hpp"

namespace hypeman::fs {
namespace {

/// Opens the parent of the data directory, because the data directory may be replaced, or something
/// may be mounted on it. If the parent is the root directory, opens the data directory: everything
/// is below the root.
Result<UniqueFd> open_readable(const std::filesystem::path& guests) {
  const auto data_dir = guests.parent_path();
  const auto parent = data_dir.parent_path();
  return open_directory(parent == parent.root_path() ? data_dir : parent);
}

}  // namespace

int Worker::run(UniqueFd device, UniqueFd monitor_pipe, UniqueFd ready, ParentConnection parent) {
  // The sandbox forbids to make them.
  auto rings = transport_ == TransportChoice::classic ? tl::unexpected{std::string{}}
                                                      : make_rings(device.get());
  if (!rings && transport_ == TransportChoice::io_uring) {
    return fail(EX_UNAVAILABLE, "-o io_uring=on is not possible: " + rings.error());
  }
  if (const auto dropped = drop_privileges(rings.has_value()); !dropped) {
    return fail(EX_NOPERM, dropped.error());
  }
  if (const auto checked = check_access(); !checked) {
    return fail(EX_NOINPUT, checked.error());
  }
  host_.logger = queueing_logger(*host_.logger);
  collector::Instances instances{host_};
  Tree tree{instances, access_};
  // The monitor notifies the parent. If the monitor dies first, the parent waits until all copies
  // of the pipe are closed, so close the worker's copy.
  parent.redirect_standard_streams();
  parent = {};
  const auto ended = run_request_loop(
      {.device = std::move(device), .choice = transport_, .rings = std::move(rings)},
      monitor_pipe.get(), std::move(ready), tree, *host_.logger);
  if (!ended) {
    host_.logger->error("{}", ended.error());
  }
  // Threads that hang in the kernel may still use the objects above.
  end_process(ended ? EX_OK : EX_SOFTWARE, *host_.logger);
}

tl::expected<void, std::string> Worker::drop_privileges(bool uses_rings) const {
  // syslog(3) needs the time zone. The sandboxed process cannot read the time zone file.
  ::tzset();
  const auto directory = open_readable(host_.guests.path());
  // The data directory and "guests" may be symlinks to other places.
  const auto data_dir =
      open_directory(std::filesystem::path{host_.guests.path()}.parent_path().string());
  const auto guests = host_.guests.open();
  Sandbox sandbox{.user = user_,
                  .groups = {},
                  .readable_directories = {host_.procfs.root.get(), host_.sys.get()},
                  .log = log_,
                  .io_uring = uses_rings};
  for (const auto* const opened : {&directory, &data_dir, &guests}) {
    if (*opened) {
      sandbox.readable_directories.push_back((*opened)->get());
    }
  }
  if (const auto group = hidepid_exempt_group("/proc/self/mounts")) {
    sandbox.groups.push_back(*group);
  }
  return enter_sandbox(sandbox, *host_.logger);
}

/// Checks that the worker can see all processes and all instances. Otherwise it would report a
/// running VM as stopped or missing.
tl::expected<void, std::string> Worker::check_access() const {
  const auto init =
      open_kernel_file(host_.procfs.root.get(), "1/stat").and_then([](const auto& fd) {
        return collector::read_proc_pid_stat(fd.get());
      });
  if (!init) {
    return tl::unexpected{"/proc hides the processes of other users from user " + user_.name +
                          ": " + init.error().message() +
                          "; use hidepid=invisible or a weaker setting: "
                          "mount -o remount,hidepid=invisible /proc"};
  }
  const auto guests = host_.guests.open();
  if (!guests && guests.error() != std::errc::no_such_file_or_directory) {
    return tl::unexpected{"user " + user_.name +
                          " cannot open guests in the data directory: " + guests.error().message() +
                          "; grant CAP_DAC_READ_SEARCH or make the directory readable"};
  }
  return {};
}

}  // namespace hypeman::fs
