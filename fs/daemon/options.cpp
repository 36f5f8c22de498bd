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

#include "base/version.hpp"

namespace hypeman::fs {
namespace {

constexpr std::string_view program = "hypeman-statsfs";

/// What mount(8) and fstab(5) pass to every file system, or keep for themselves. The tree is
/// mounted read-only, without devices, set-user-ID and execution whatever they say.
bool concerns_mount_only(std::string_view option) {
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
  constexpr mode_t everybody = 0444;
  constexpr mode_t owner = 0400;
  mode_t mode = 0;
  const auto* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, mode, octal);
  if (error != std::errc{} || parsed != end || (mode & ~everybody) != 0 || (mode & owner) == 0) {
    return std::nullopt;
  }
  return mode;
}

std::optional<gid_t> parse_group(std::string_view text) {
  gid_t gid = 0;
  const auto* const end = text.data() + text.size();
  if (const auto [parsed, error] = std::from_chars(text.data(), end, gid);
      error == std::errc{} && parsed == end) {
    return gid;
  }
  const auto* const group = ::getgrnam(std::string{text}.c_str());
  return group == nullptr ? std::nullopt : std::optional{group->gr_gid};
}

/// Applies one -o option; the error is one line.
std::optional<std::string> apply_mount_option(std::string_view option, Options& options) {
  if (option.starts_with("mode=")) {
    const auto mode = parse_file_mode(option.substr(option.find('=') + 1));
    if (!mode) {
      return std::string{option} + ": not a mode of read-only files; use 0444, 0440 or 0400";
    }
    options.access.file_mode = *mode;
    return std::nullopt;
  }
  if (option.starts_with("gid=")) {
    const auto gid = parse_group(option.substr(option.find('=') + 1));
    if (!gid) {
      return std::string{option} + ": no such group; use one of getent group";
    }
    options.access.group = *gid;
    return std::nullopt;
  }
  if (option.starts_with("run_as=")) {
    options.run_as = find_user(std::string{option.substr(option.find('=') + 1)});
    if (!options.run_as) {
      return std::string{option} + ": no such user; use one of getent passwd";
    }
    return std::nullopt;
  }
  if (option == "foreground") {
    options.foreground = true;
    return std::nullopt;
  }
  if (concerns_mount_only(option)) {
    return std::nullopt;
  }
  return std::string{option} +
         ": unknown mount option; known are mode=, gid=, run_as= and foreground";
}

Exit usage_error(const std::string& problem) {
  return {.text = std::string{program} + ": " + problem + " (see --help)\n", .status = EX_USAGE};
}

}  // namespace

std::variant<Options, Exit> parse_command_line(std::span<char* const> arguments) {
  Options options;
  std::vector<std::string> mount_options;

  CLI::App app{
      "Shows every Hypeman instance as a directory and every statistic of it as a file,\n"
      "measured when it is read. Ends with umount, SIGTERM or SIGINT.",
      std::string{program}};
  app.add_option("DATA_DIR", options.data_dir, "Hypeman's data directory")->capture_default_str();
  app.add_option("MOUNTPOINT", options.mountpoint, "where to mount; made if it is missing")
      ->capture_default_str();
  app.add_flag("-f,--foreground", options.foreground, "stay in the foreground, log to stderr");
  app.add_option("-o", mount_options,
                 "mount options: mode=MODE of files (0444, 0440 or 0400; directories are\n"
                 "searchable by whom files are readable), gid=GROUP that owns them,\n"
                 "run_as=USER that serves them (hypeman-statsfs where it exists, else nobody),\n"
                 "foreground")
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
    return usage_error(error.what());
  }
  for (const auto& option : mount_options) {
    if (const auto problem = apply_mount_option(option, options)) {
      return usage_error(*problem);
    }
  }
  return options;
}

}  // namespace hypeman::fs
