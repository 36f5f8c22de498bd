#pragma once

#include <memory>

#include <spdlog/logger.h>

namespace hypeman::fs {

/// To stderr while somebody can see it there, with the priority prefixes of sd-daemon(3) if that is
/// the journal; otherwise to syslog(3).
[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(bool foreground);

}  // namespace hypeman::fs
