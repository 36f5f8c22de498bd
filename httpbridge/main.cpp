// hypeman-stats-bridge: parses the options, loads the keys, opens the sockets and serves. Startup
// errors become one log line and an exit status here.

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>

#include "base/descriptor_limit.hpp"
#include "base/end_process.hpp"
#include "base/logging.hpp"
#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/auth/key_files.hpp"
#include "httpbridge/http/limits.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/http/server.hpp"
#include "httpbridge/http/whole_host_file.hpp"
#include "httpbridge/listen/listening_socket.hpp"
#include "httpbridge/mount/mount_reader.hpp"
#include "httpbridge/mount/read_error.hpp"
#include "httpbridge/options.hpp"
#include "httpbridge/page/page.hpp"
#include "httpbridge/startup_error.hpp"

namespace {

using namespace hypeman::httpbridge;

tl::expected<std::shared_ptr<const Authorizer>, StartupError> make_authorizer(
    const Options& options) {
  if (options.no_auth) {
    return std::make_shared<const Authorizer>(Authorizer::allowing_all());
  }
  return load_keys(options.keys).map([](Keys&& keys) {
    return std::make_shared<const Authorizer>(std::move(keys));
  });
}

tl::expected<std::vector<ListeningSocket>, StartupError> open_sockets(const Options& options) {
  auto sockets = activated_sockets();
  if (!sockets || !sockets->empty()) {
    return sockets;
  }
  for (const std::string& text : options.listen) {
    const auto address = parse_listen_address(text);
    if (!address) {
      return tl::unexpected(StartupError{EX_USAGE, "--listen " + address.error()});
    }
    auto more = listen_at(*address, options.socket_mode);
    if (!more) {
      return more;
    }
    std::move(more->begin(), more->end(), std::back_inserter(*sockets));
  }
  return sockets;
}

tl::expected<std::string, ReadError> read_route(MountReader& mount, const Route& route) {
  if (const auto* const file = whole_host_file(route.kind)) {
    return mount.read_file(std::string{file->name});
  }
  if (route.kind == RouteKind::health) {
    return mount.check().map([] { return std::string{}; });
  }
  return mount.read_stats(route.instance);
}

tl::expected<void, StartupError> run(const Options& options) {
  auto authorizer = make_authorizer(options);
  if (!authorizer) {
    return tl::unexpected(std::move(authorizer).error());
  }
  auto sockets = open_sockets(options);
  if (!sockets) {
    return tl::unexpected(std::move(sockets).error());
  }
  const auto remote =
      std::find_if(sockets->begin(), sockets->end(),
                   [](const ListeningSocket& socket) { return !socket.is_local(); });
  if (options.no_auth && remote != sockets->end()) {
    return tl::unexpected(StartupError{
        EX_USAGE,
        fmt::format("with --no-auth, everyone could read the statistics at {}; give a key file, or "
                    "listen on loopback and unix sockets only",
                    remote->address())});
  }

  const std::size_t open_files = hypeman::raise_descriptor_limit();
  const DescriptorLimits descriptors = divide_descriptors(open_files, options.max_connections);
  if (descriptors.connections < options.max_connections) {
    spdlog::warn("the limit of {} open files allows {} connections only; raise LimitNOFILE=",
                 open_files, descriptors.connections);
  }
  const auto mount = std::make_shared<MountReader>(options.stats_dir, descriptors.cached_files);
  ServerConfig config;
  config.sockets = *std::move(sockets);
  config.authorizer = *std::move(authorizer);
  config.reload = [&options]() -> std::shared_ptr<const Authorizer> {
    auto reloaded = make_authorizer(options);
    if (!reloaded) {
      spdlog::error("{}; the bridge keeps the current keys", reloaded.error().message);
      return nullptr;
    }
    return *std::move(reloaded);
  };
  config.source = {[mount](const Route& route) { return read_route(*mount, route); },
                   [mount](const Route& route) { return mount->find(route.instance); },
                   [mount](const Route& /*route*/) { return mount->list_ids(); }};
  config.limits.connections = descriptors.connections;
  config.limits.request_timeout = options.request_timeout;
  config.limits.shutdown_timeout = options.request_timeout;
  config.limits.idle_timeout = options.idle_timeout;
  config.access_log = options.access_log;
  if (options.page) {
    config.page = Page{options.stats_dir};
  }
  config.only_loopback_hosts = options.no_auth;
  const auto log = hypeman::queueing_logger(*spdlog::default_logger());
  spdlog::set_default_logger(log);
  serve(std::move(config));
  // Threads may hang in reads of the mount or in a write to the log.
  hypeman::end_process(EX_OK, *log);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    spdlog::set_default_logger(hypeman::stderr_logger("hypeman-stats-bridge"));
    std::signal(SIGPIPE, SIG_IGN);  // the program must survive the end of its log reader
    const auto options = parse_options(argc, argv);
    if (options && std::holds_alternative<Notice>(*options)) {
      std::cout << std::get<Notice>(*options);
      return EX_OK;
    }
    const auto outcome = options.and_then(
        [](const std::variant<Options, Notice>& parsed) { return run(std::get<Options>(parsed)); });
    if (!outcome) {
      spdlog::error("{}", outcome.error().message);
      return outcome.error().exit_status;
    }
    return EX_OK;
  } catch (const std::exception& error) {
    spdlog::critical("unexpected error: {}; please report it", error.what());
    return EX_SOFTWARE;
  }
}
