#include "fs/daemon/options.hpp"

#include <grp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <sysexits.h>

#include "base/decimal.hpp"
#include "base/version.hpp"

namespace hypeman::fs {
namespace {

constexpr std::string_view program = "hypeman-statsfs";

/// Whether this is an option that mount(8) passes to every file system, or that only mount(8) or
/// fstab(5) uses. None has an effect: the mount is always read-only, nodev, nosuid and noexec.
bool is_ignored_option(std::string_view option) {
  constexpr std::array<std::string_view, 29> names{
      "ro",       "rw",         "dev",           "nodev",       "suid",
      "nosuid",   "exec",       "noexec",        "atime",       "noatime",
      "relatime", "norelatime", "strictatime",   "diratime",    "nodiratime",
      "auto",     "noauto",     "user",          "nouser",      "users",
      "defaults", "_netdev",    "nofail",        "allow_other", "default_permissions",
      "sync",     "async",      "nostrictatime", "lazytime"};
  return std::ranges::find(names, option) != names.end() || option.starts_with("x-") ||
         option.starts_with("comment=");
}

std::optional<mode_t> parse_file_mode(std::string_view text) {
  constexpr int octal = 8;
  constexpr mode_t all = 0444;
  constexpr mode_t owner = 0400;
  mode_t mode = 0;
  const auto* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, mode, octal);
  if (error != std::errc{} || parsed != end || (mode & ~all) != 0 || (mode & owner) == 0) {
    return std::nullopt;
  }
  return mode;
}

std::optional<gid_t> parse_group(std::string_view text) {
  if (const auto gid = parse_decimal<gid_t>(text)) {
    return gid;
  }
  const auto* const group = ::getgrnam(std::string{text}.c_str());
  return group == nullptr ? std::nullopt : std::optional{group->gr_gid};
}

std::optional<TransportChoice> parse_transport(std::string_view text) {
  if (text == "auto") {
    return TransportChoice::automatic;
  }
  if (text == "on") {
    return TransportChoice::io_uring;
  }
  return text == "off" ? std::optional{TransportChoice::classic} : std::nullopt;
}

/// Applies one -o option. Returns an error of one line, or nothing.
std::optional<std::string> apply_mount_option(std::string_view option, Options& options) {
  if (option.starts_with("mode=")) {
    const auto mode = parse_file_mode(option.substr(option.find('=') + 1));
    if (!mode) {
      return std::string{option} + ": not a valid file mode; use 0444, 0440 or 0400";
    }
    options.access.file_mode = *mode;
    return std::nullopt;
  }
  if (option.starts_with("gid=")) {
    const auto gid = parse_group(option.substr(option.find('=') + 1));
    if (!gid) {
      return std::string{option} + ": no such group; to list the groups: getent group";
    }
    options.access.group = *gid;
    return std::nullopt;
  }
  if (option.starts_with("run_as=")) {
    options.run_as = find_user(std::string{option.substr(option.find('=') + 1)});
    if (!options.run_as) {
      return std::string{option} + ": no such user; to list the users: getent passwd";
    }
    return std::nullopt;
  }
  if (option.starts_with("io_uring=")) {
    const auto transport = parse_transport(option.substr(option.find('=') + 1));
    if (!transport) {
      return std::string{option} + ": not a valid choice; use auto, on or off";
    }
    options.transport = *transport;
    return std::nullopt;
  }
  if (option == "foreground") {
    options.foreground = true;
    return std::nullopt;
  }
  if (is_ignored_option(option)) {
    return std::nullopt;
  }
  return std::string{option} +
         ": unknown mount option; use mode=, gid=, run_as=, io_uring= or foreground";
}

Exit usage_error(const std::string& problem) {
  return {.text = std::string{program} + ": " + problem + "\n", .status = EX_USAGE};
}

}  // namespace

std::variant<Options, Exit> parse_command_line(std::span<char* const> arguments) {
  Options options;
  std::vector<std::string> mount_options;

  CLI::App app{
      "Mounts a file system with one directory for each Hypeman instance and one file for\n"
      "each statistic. A statistic is measured when its file is read.\n"
      "To stop it, unmount the file system or send SIGTERM or SIGINT.",
      std::string{program}};
  app.add_option("DATA_DIR", options.data_dir, "Hypeman's data directory")
      ->type_name("")
      ->capture_default_str();
  app.add_option("MOUNTPOINT", options.mountpoint, "where to mount; created if missing")
      ->type_name("")
      ->capture_default_str();
  app.add_flag("-f,--foreground", options.foreground, "stay in the foreground and log to stderr");
  app.add_option("-o", mount_options,
                 "mount options:\n"
                 "mode=MODE: mode of the files: 0444 (default), 0440 or 0400; users who\n"
                 "  can read the files can search the directories\n"
                 "gid=GROUP: group of the files and directories (default: root)\n"
                 "run_as=USER: user of the process that reads the statistics\n"
                 "  (default: hypeman-statsfs if that user exists, otherwise nobody)\n"
                 "io_uring=auto|on|off: receive requests through io_uring (default: auto, if the\n"
                 "  kernel allows it)\n"
                 "foreground: same as -f")
      ->delimiter(',')
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("OPT,...");
  app.set_version_flag("--version", std::string{program} + " " + std::string{version});

  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    return Exit{.text = app.help(), .status = EX_OK};
  } catch (const CLI::CallForVersion& request) {
    return Exit{.text = std::string{request.what()} + "\n", .status = EX_OK};
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what() + std::string{"; see --help"});
  }
  for (const auto& option : mount_options) {
    if (const auto problem = apply_mount_option(option, options)) {
      return usage_error(*problem);
    }
  }
  return options;
}

}  // namespace hypeman::fs
