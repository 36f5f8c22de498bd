#include "base/end_process.hpp"

#include <unistd.h>

namespace hypeman {

void end_process(int status, spdlog::logger& logger) {
  logger.flush();
  ::_exit(status);
}

}  // namespace hypeman
