#include "fs/daemon/log.hpp"

#include <sys/syslog.h>

#include <cstdlib>
#include <string>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/syslog_sink.h>

#include "base/logging.hpp"

namespace hypeman::fs {
namespace {

const std::string program = "hypeman-statsfs";

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(bool foreground) {
  if (!foreground) {
    return std::make_shared<spdlog::logger>(
        program, std::make_shared<spdlog::sinks::syslog_sink_mt>(program, LOG_PID, LOG_DAEMON,
                                                                 /*enable_formatting=*/false));
  }
  if (std::getenv("JOURNAL_STREAM") != nullptr) {
    return stderr_logger(program, journal_formatter());
  }
  return stderr_logger(program, std::make_unique<spdlog::pattern_formatter>("%n: %l: %v"));
}

}  // namespace hypeman::fs
