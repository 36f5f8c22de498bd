#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "httpbridge/auth/key_files.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// What the command line asks for.
struct Options {
  std::string stats_dir = "/run/hypeman/stats";
  std::vector<std::string> listen;  ///< as given; never empty
  KeyFiles keys;
  bool no_auth = false;
  bool access_log = true;
  std::size_t max_connections = 4096;
  std::chrono::seconds request_timeout{10};
  std::chrono::seconds idle_timeout{75};
};

/// Text to print instead of running (--help, --version).
using Notice = std::string;

/// Reads and checks the command line; an error is EX_USAGE.
[[nodiscard]] tl::expected<std::variant<Options, Notice>, StartupError> parse_options(
    int argc, const char* const* argv);

}  // namespace hypeman::httpbridge
