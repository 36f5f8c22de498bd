#include "httpbridge/options.hpp"

#include <charconv>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sysexits.h>

#include "base/version.hpp"

namespace hypeman::httpbridge {
namespace {

tl::unexpected<StartupError> usage_error(const std::string& message) {
  return tl::unexpected(StartupError{EX_USAGE, message});
}

std::optional<unsigned> parse_mode(const std::string& text) {
  constexpr unsigned max_mode = 0777;
  unsigned mode = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc{} || parsed != end || mode > max_mode) {
    return std::nullopt;
  }
  return mode;
}

}  // namespace

tl::expected<std::variant<Options, Notice>, StartupError> parse_options(int argc,
                                                                        const char* const* argv) {
  constexpr std::size_t max_connections = 1'000'000;
  constexpr auto default_address = "127.0.0.1:8080";
  Options options;
  options.listen = {default_address};
  long request_timeout = options.request_timeout.count();
  long idle_timeout = options.idle_timeout.count();
  bool no_access_log = false;
  bool no_page = false;
  std::string socket_mode;

  CLI::App app{"Serves the files of hypeman-statsfs over HTTP, at the path of Hypeman's API.",
               "hypeman-stats-bridge"};
  app.set_version_flag("--version", fmt::format("hypeman-stats-bridge {}", version));
  app.add_option("--stats-dir", options.stats_dir, "The directory where hypeman-statsfs is mounted")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option(
         "--listen", options.listen,
         "Address to listen at: host:port, [v6]:port or unix:/path. May be repeated. Ignored "
         "if systemd passes sockets")
      ->type_name("ADDR")
      ->expected(1)
      ->take_all()
      ->default_str(default_address);
  app.add_option("--socket-mode", socket_mode,
                 "Mode of the socket files that --listen creates, for example 0660")
      ->type_name("MODE");
  const auto add_key_option = [&app](const char* name, std::vector<std::string>& files,
                                     const char* description) {
    app.add_option(name, files, description)->type_name("FILE")->expected(1)->take_all();
  };
  add_key_option("--jwt-secret-file", options.keys.jwt_secret_files,
                 "File that contains Hypeman's JWT secret. API keys of Hypeman are then accepted");
  add_key_option("--hypeman-config", options.keys.hypeman_configs,
                 "Hypeman's config.yaml. Its jwt_secret is used as the JWT secret");
  add_key_option("--token-file", options.keys.token_files,
                 "File with one token per line. A token gives read access to statistics only");
  app.add_flag("--no-auth", options.no_auth,
               "Require no key. Allowed on loopback addresses and unix sockets only");
  app.add_flag("--no-page", no_page,
               "Do not serve the page that shows the statistics in a browser");
  app.add_flag("--no-access-log", no_access_log, "Do not log requests");
  app.add_option(
         "--max-connections", options.max_connections,
         "Maximum number of connections. When it is reached, a new connection closes the one "
         "that has been idle longest")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, max_connections).description(""))
      ->capture_default_str();
  const auto add_timeout_option = [&app](const char* name, long& seconds, const char* description) {
    constexpr long max_seconds = 3600;
    app.add_option(name, seconds, description)
        ->type_name("SECONDS")
        ->check(CLI::Range(1L, max_seconds).description(""))
        ->capture_default_str();
  };
  add_timeout_option("--request-timeout", request_timeout,
                     "Time limit for each of three steps: receive a request, read the statistics, "
                     "send the response");
  add_timeout_option("--idle-timeout", idle_timeout,
                     "Time limit for a connection without a request");

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Notice{app.help()};
  } catch (const CLI::CallForVersion& request) {
    return Notice{fmt::format("{}\n", request.what())};
  } catch (const CLI::ParseError& error) {
    return usage_error(fmt::format("{}; see --help", error.what()));
  }
  options.access_log = !no_access_log;
  options.page = !no_page;
  options.request_timeout = std::chrono::seconds{request_timeout};
  options.idle_timeout = std::chrono::seconds{idle_timeout};

  if (!socket_mode.empty()) {
    options.socket_mode = parse_mode(socket_mode);
    if (!options.socket_mode) {
      return usage_error(fmt::format(
          "--socket-mode {}: not an octal mode from 0 to 0777; use for example 0660", socket_mode));
    }
  }

  if (options.keys.empty() && !options.no_auth) {
    return usage_error(
        "no keys; give --jwt-secret-file, --hypeman-config or --token-file, or --no-auth to let "
        "every process on this host read the statistics");
  }
  if (!options.keys.empty() && options.no_auth) {
    return usage_error("--no-auth and a key file exclude each other; remove one of them");
  }
  return options;
}

}  // namespace hypeman::httpbridge
