#include "fs/daemon/log.hpp"

#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/syslog_sink.h>

#include "base/logging.hpp"

namespace hypeman::fs {
namespace {

const std::string program = "hypeman-statsfs";

/// Whether systemd has connected the stream to the journal. systemd stores the device and the inode
/// of the stream in JOURNAL_STREAM, because the variable is inherited even if the stream changes.
bool is_journal(int stream) {
  struct stat status {};
  const auto* const journal = std::getenv("JOURNAL_STREAM");
  return journal != nullptr && ::fstat(stream, &status) == 0 &&
         journal == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(bool foreground) {
  if (!foreground) {
    return std::make_shared<spdlog::logger>(
        program, std::make_shared<spdlog::sinks::syslog_sink_mt>(program, LOG_PID, LOG_DAEMON,
                                                                 /*enable_formatting=*/false));
  }
  if (is_journal(STDERR_FILENO)) {
    return stderr_logger(program, journal_formatter());
  }
  return stderr_logger(program, std::make_unique<spdlog::pattern_formatter>("%n: %l: %v"));
}

}  // namespace hypeman::fs
