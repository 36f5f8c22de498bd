#include "fs/daemon/log.hpp"

#include <sys/syslog.h>

#include <string>

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
  return stderr_logger(program);
}

}  // namespace hypeman::fs
