#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/http/limits.hpp"
#include "httpbridge/http/statistics.hpp"
#include "httpbridge/listen/listening_socket.hpp"
#include "httpbridge/page/page.hpp"

namespace hypeman::httpbridge {

/// The parts that a server gets from the rest of the program.
struct ServerConfig {
  std::vector<ListeningSocket> sockets;
  std::shared_ptr<const Authorizer> authorizer;
  /// SIGHUP calls it; nullptr keeps the current authorizer.
  std::function<std::shared_ptr<const Authorizer>()> reload;
  StatisticsSource source;
  Limits limits;
  bool access_log = true;
  Page page;
  /// Refuse requests over TCP that name another host than this one.
  bool only_loopback_hosts = false;
};

/// Serves requests until SIGTERM or SIGINT, completes the requests in progress and returns.
/// Notifies systemd when the server is ready, reloads or stops.
void serve(ServerConfig config);

}  // namespace hypeman::httpbridge
