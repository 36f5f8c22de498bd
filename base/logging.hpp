#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

namespace hypeman {

/// A logger that writes to standard error at once. `name` is the program's. If standard error is
/// connected to the journal, lines begin with their priority as in sd-daemon(3): `<6>text`. Else
/// they begin with the name of the program: `name: info: text`.
[[nodiscard]] std::shared_ptr<spdlog::logger> stderr_logger(const std::string& name);

/// A logger with the name and the sinks of `direct` that does not block its callers, even if a sink
/// blocks: a thread writes the lines. If too many lines wait, the oldest are lost, and a line says
/// how many. flush() waits until the lines are written, but only for a short time. Call this after
/// the last fork(2), because a child process does not have the thread.
[[nodiscard]] std::shared_ptr<spdlog::logger> queueing_logger(const spdlog::logger& direct);

/// Makes untrusted text safe for one log line. Backslashes and bytes that are not printable ASCII
/// become `\xNN`. The text is cut after 256 bytes.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace hypeman
