#include "fs/daemon/worker.hpp"

#include <ctime>
#include <system_error>

#include <sysexits.h>

#include "base/file.hpp"
#include "collector/hypeman/guests.hpp"
#include "collector/instances/instances.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "fs/fuse/request_loop.hpp"
#include "fs/sandbox/hidepid.hpp"
#include "fs/sandbox/sandbox.hpp"

namespace hypeman::fs {

int Worker::run(UniqueFd device, UniqueFd keeper, Startup startup) {
  if (const auto entered = enter_sandbox(); !entered) {
    return fail(EX_NOPERM, entered.error());
  }
  if (const auto sees = check_sight(); !sees) {
    return fail(EX_NOINPUT, sees.error());
  }
  collector::Instances instances{host_};
  Tree tree{instances, access_};
  // Whether the start has succeeded is the keeper's to say, and nothing here is to hold that open.
  std::exchange(startup, Startup::in_foreground()).leave_terminal();
  if (const auto served = serve(std::move(device), keeper.get(), tree); !served) {
    host_.logger->error("{}", served.error());
    return EX_SOFTWARE;
  }
  return EX_OK;
}

tl::expected<void, std::string> Worker::enter_sandbox() const {
  ::tzset();  // syslog(3) tells the time, and could not read the time zone later
  // Who keeps the instances elsewhere has made a symlink of "guests".
  const auto guests = collector::open_guests(host_.data_dir.get());
  Sandbox sandbox{.user = user_,
                  .groups = {},
                  .readable = {host_.data_dir.get(), host_.procfs.root.get(), host_.sys.get()},
                  .log = log_};
  if (guests) {
    sandbox.readable.push_back(guests->get());
  }
  if (const auto group = group_that_sees_all_processes("/proc/self/mounts")) {
    sandbox.groups.push_back(*group);
  }
  return enter(sandbox, *host_.logger);
}

/// What cannot be seen would be taken for something that is not there, and a running VM for a
/// stopped one.
tl::expected<void, std::string> Worker::check_sight() const {
  const auto init =
      open_kernel_file(host_.procfs.root.get(), "1/stat").and_then([](const auto& fd) {
        return collector::read_proc_pid_stat(fd.get());
      });
  if (!init) {
    return tl::unexpected{"/proc: the processes of others are hidden from user " + user_.name +
                          ": " + init.error().message() +
                          "; mount it with at most hidepid=invisible: "
                          "mount -o remount,hidepid=invisible /proc"};
  }
  const auto guests = collector::open_guests(host_.data_dir.get());
  if (!guests && guests.error() != std::errc::no_such_file_or_directory) {
    return tl::unexpected{"guests in the data directory cannot be read by user " + user_.name +
                          ": " + guests.error().message() +
                          "; allow CAP_DAC_READ_SEARCH, or make it readable"};
  }
  return {};
}

}  // namespace hypeman::fs
