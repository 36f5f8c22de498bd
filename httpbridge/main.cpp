// hypeman-stats-bridge: options -> keys and sockets -> serve. The edge where errors become one line
// and an exit status.

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>

#include "base/logging.hpp"
#include "httpbridge/key_files.hpp"
#include "httpbridge/listening_socket.hpp"
#include "httpbridge/options.hpp"
#include "httpbridge/server.hpp"
#include "httpbridge/stats_tree.hpp"

namespace {

using namespace hypeman::httpbridge;

/// How the descriptors that the process may open are shared out.
struct DescriptorBudget {
  std::size_t connections = 0;
  std::size_t held_files = 0;
};

DescriptorBudget share_descriptors(std::size_t wanted_connections) {
  constexpr std::size_t wanted_files = 1024;
  constexpr std::size_t reserve = 64;  // listeners, epoll, reads in progress
  constexpr rlim_t needed_at_least = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    // The soft limit guards programs that use select(2), which this one does not.
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  const auto available = static_cast<std::size_t>(std::max(limit.rlim_cur, needed_at_least));
  const std::size_t files = std::min(wanted_files, available / 4);
  const std::size_t connections = std::min(wanted_connections, available - files - reserve);
  if (connections < wanted_connections) {
    spdlog::warn("the limit of {} open files leaves room for {} connections; raise LimitNOFILE=",
                 available, connections);
  }
  return {connections, files};
}

tl::expected<std::shared_ptr<const Authorizer>, StartupError> make_authorizer(
    const Options& options) {
  if (options.no_auth) {
    return std::make_shared<const Authorizer>(Authorizer::allowing_everyone());
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
    auto more = listen_at(*address);
    if (!more) {
      return more;
    }
    std::move(more->begin(), more->end(), std::back_inserter(*sockets));
  }
  return sockets;
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
        fmt::format("--no-auth would serve everyone at {}; name a key file, or listen on loopback "
                    "or unix sockets only",
                    remote->address())});
  }

  const DescriptorBudget budget = share_descriptors(options.max_connections);
  const auto tree = std::make_shared<StatsTree>(options.stats_dir, budget.held_files);
  Service service;
  service.sockets = *std::move(sockets);
  service.authorizer = *std::move(authorizer);
  service.reload = [&options]() -> std::shared_ptr<const Authorizer> {
    auto reloaded = make_authorizer(options);
    if (!reloaded) {
      spdlog::error("{}; the keys in use stay", reloaded.error().message);
      return nullptr;
    }
    return *std::move(reloaded);
  };
  service.read = [tree](const Resource& resource) { return tree->read(resource); };
  service.limits.connections = budget.connections;
  service.limits.request_time = options.request_timeout;
  service.limits.stop_time = options.request_timeout;
  service.limits.idle_time = options.idle_timeout;
  service.access_log = options.access_log;
  serve(std::move(service));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    spdlog::set_default_logger(
        hypeman::stderr_logger("hypeman-stats-bridge", hypeman::journal_formatter()));
    std::signal(SIGPIPE, SIG_IGN);  // a log reader that goes away must not end the program
    const auto options = parse_options(argc, argv);
    if (options && std::holds_alternative<Notice>(*options)) {
      std::cout << std::get<Notice>(*options);
      return EX_OK;
    }
    const auto outcome = options.and_then(
        [](const std::variant<Options, Notice>& parsed) { return run(std::get<Options>(parsed)); });
    if (!outcome) {
      spdlog::error("hypeman-stats-bridge: {}", outcome.error().message);
      return outcome.error().exit_status;
    }
    return EX_OK;
  } catch (const std::exception& error) {
    spdlog::critical("hypeman-stats-bridge: unexpected: {}; please report it", error.what());
    return EX_SOFTWARE;
  }
}
