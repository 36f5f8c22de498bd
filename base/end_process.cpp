#include "base/end_process.hpp"

#include <unistd.h>

#include "base/leak_check.hpp"

namespace hypeman {

void end_process(int status, spdlog::logger& logger) {
  logger.flush();
  ::_exit(leak_check() ? status : leak_status);
}

}  // namespace hypeman
