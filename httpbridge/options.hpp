#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "httpbridge/auth/key_files.hpp"
#include "httpbridge/http/limits.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// The settings from the command line.
struct Options {
  std::string stats_dir = "/run/hypeman/stats";
  std::vector<std::string> listen;  ///< addresses as the user wrote them; never empty
  KeyFiles keys;
  bool no_auth = false;
  bool access_log = true;
  bool page = true;
  std::optional<unsigned> socket_mode;  ///< of unix sockets; the umask applies without it
  std::size_t max_connections = Limits{}.connections;
  std::chrono::seconds request_timeout{10};
  std::chrono::seconds idle_timeout{75};
};

/// The text for --help or --version, to print instead of serving.
using Notice = std::string;

/// Parses and checks the command line. An error has the status EX_USAGE.
[[nodiscard]] tl::expected<std::variant<Options, Notice>, StartupError> parse_options(
    int argc, const char* const* argv);

}  // namespace hypeman::httpbridge
