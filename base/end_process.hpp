#pragma once

#include <spdlog/logger.h>

namespace hypeman {

/// Ends the process without waiting for threads that hang in the kernel: writes the log, destroys
/// nothing and runs no exit handler. LeakSanitizer does not run either: it would wait for them.
[[noreturn]] void end_process(int status, spdlog::logger& logger);

}  // namespace hypeman
