#pragma once

#include <memory>

#include <spdlog/logger.h>

namespace hypeman::fs {

/// In the foreground, logs to standard error, with the priority prefixes of sd-daemon(3) if
/// standard error is connected to the journal. In the background, logs to syslog(3).
[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(bool foreground);

}  // namespace hypeman::fs
