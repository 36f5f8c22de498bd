#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "fs/sandbox/user.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {

/// What the command line asks for.
struct Options {
  std::string data_dir = "/var/lib/hypeman";
  std::string mountpoint = "/run/hypeman/stats";
  bool foreground = false;
  Access access;
  std::optional<User> run_as;  ///< default_user() unless somebody is named
};

/// Print `text` and exit with `status`: for --help and --version, and for a command line that is
/// wrong, whose text is one line.
struct Exit {
  std::string text;
  int status;
};

/// Understands `hypeman-statsfs [DATA_DIR [MOUNTPOINT]] [-f] [-o opt,…]`, as a user types it and as
/// mount(8) calls it.
[[nodiscard]] std::variant<Options, Exit> parse_command_line(std::span<char* const> arguments);

}  // namespace hypeman::fs
