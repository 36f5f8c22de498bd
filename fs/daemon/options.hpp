#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "fs/fuse/transport.hpp"
#include "fs/sandbox/user.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// The options of the command line.
struct Options {
  std::string data_dir = "/var/lib/hypeman";
  std::string mountpoint = "/run/hypeman/stats";
  bool foreground = false;
  Access access;
  std::optional<User> run_as;  ///< if absent, default_user()
  TransportChoice transport = TransportChoice::automatic;
};

/// The program prints `text` and exits with `status`: for --help, for --version, and for a wrong
/// command line. Then `text` is one line.
struct Exit {
  std::string text;
  int status;
};

/// Parses `hypeman-statsfs [DATA_DIR [MOUNTPOINT]] [-f] [-o opt,…]`, as typed by a user or passed
/// by mount(8).
[[nodiscard]] std::variant<Options, Exit> parse_command_line(std::span<char* const> arguments);

}  // namespace hypeman::fs
