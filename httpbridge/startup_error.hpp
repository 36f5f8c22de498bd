#pragma once

#include <string>

namespace hypeman::httpbridge {

/// Why the program cannot start: one line for the operator and an exit status of <sysexits.h>.
struct StartupError {
  int exit_status = 0;
  std::string message;
};

}  // namespace hypeman::httpbridge
