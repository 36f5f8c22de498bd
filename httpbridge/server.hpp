#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "httpbridge/authorizer.hpp"
#include "httpbridge/listening_socket.hpp"
#include "httpbridge/resource.hpp"
#include "httpbridge/stats_tree.hpp"

namespace hypeman::httpbridge {

/// Bounds on what a peer can make the server spend.
struct Limits {
  std::size_t connections = 4096;
  std::size_t header_bytes = std::size_t{16} << 10;
  std::size_t target_bytes = std::size_t{4} << 10;
  std::size_t body_bytes = std::size_t{4} << 10;
  std::size_t unsent_bytes = std::size_t{256} << 20;  ///< of answers that peers have yet to take
  std::chrono::milliseconds request_time{10'000};     ///< to arrive, to be read, to be sent: each
  std::chrono::milliseconds idle_time{75'000};
  std::chrono::milliseconds drain_time{2'000};  ///< for a peer to take note that we hung up
  std::chrono::milliseconds stop_time{10'000};  ///< for requests in flight after SIGTERM
};

/// What a server needs from the rest of the program.
struct Service {
  std::vector<ListeningSocket> sockets;
  std::shared_ptr<const Authorizer> authorizer;
  /// Called at SIGHUP; nullptr keeps the authorizer that is in use.
  std::function<std::shared_ptr<const Authorizer>()> reload;
  /// Blocks; called on threads of its own, several at a time.
  std::function<tl::expected<std::string, ReadFailure>(const Resource&)> read;
  Limits limits;
  bool access_log = true;
};

/// Answers requests until SIGTERM or SIGINT, then those in flight, and returns. Tells systemd when
/// it is ready, reloads and stops.
void serve(Service service);

}  // namespace hypeman::httpbridge
