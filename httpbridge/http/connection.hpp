#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/http/awaitable.hpp"
#include "httpbridge/http/limits.hpp"
#include "httpbridge/http/reply.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/http/statistics.hpp"
#include "httpbridge/http/unsent_bodies.hpp"
#include "httpbridge/page/page.hpp"

namespace hypeman::httpbridge {

class Connection;

/// A connected TCP or unix socket.
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

/// The open connections, ordered by the time of their last state change, oldest first.
using ConnectionList = std::list<std::shared_ptr<Connection>>;

/// The data that all connections of a server share. It outlives them.
struct ServerState {
  Statistics statistics;
  std::shared_ptr<const Authorizer> authorizer;
  Limits limits;
  bool access_log = true;
  Page page;
  bool only_loopback_hosts = false;
  bool stopping = false;
  ConnectionList connections;
  UnsentBodies unsent;
  HttpDate date;
};

/// The connection of one client. A coroutine receives a request, reads its statistics, sends the
/// reply and repeats, so it answers pipelined requests one after the other. Only the thread of the
/// event loop may use it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  enum class State {
    idle,       ///< waits for the first byte of a request
    receiving,  ///< has received a part of a request
    reading,    ///< waits for the statistics
    sending,
    draining,  ///< has sent its last reply; discards input until the client closes its side
  };

  Connection(ServerState& server, Socket socket);

  /// Adds the connection to the server's list and serves its requests.
  void start();

  /// Adds the connection to the server's list, sends a 503 reply and closes it.
  void reject();

  [[nodiscard]] State state() const { return state_; }

  /// Ends the connection if its state has lasted too long.
  void enforce_timeout(Clock::time_point now);

  /// Ends the connection, unless it has a request in progress.
  void shut_down();

  /// Closes the socket in any state and removes the connection from the server's list.
  void close();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void enter(State state);
  /// How long the current state may last. The read pool bounds `reading`.
  [[nodiscard]] Clock::duration time_limit() const;
  /// The bytes that were received and not parsed yet.
  [[nodiscard]] std::string_view buffered() const;
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }

  Awaitable<void> serve();
  /// Returns when a whole request has arrived, or when the connection is closed.
  Awaitable<tl::expected<void, BadRequest>> receive_request();
  [[nodiscard]] tl::expected<void, BadRequest> parse();
  /// Removes the empty lines before a request. False if there are too many.
  [[nodiscard]] bool skip_empty_lines();
  /// Whether the client sends its body only after a reply. The bridge needs no body, so it replies.
  [[nodiscard]] bool expects_reply() const;
  [[nodiscard]] bool names_other_host() const;
  [[nodiscard]] tl::expected<Route, Reply> check_request();
  /// The reply to a bad request. The connection ends after it.
  [[nodiscard]] Reply refuse(BadRequest reason);
  /// The bytes to send. Counts the body as unsent until release_body().
  [[nodiscard]] std::array<boost::asio::const_buffer, 2> begin_response(const Reply& reply);
  /// Closes the connection that has been sending its response for the longest time, if any.
  [[nodiscard]] bool close_slowest_reader();
  void release_body();
  Awaitable<void> drain();
  void log(const Reply& reply);

  ServerState& server_;
  Socket socket_;
  ConnectionList::iterator position_;  // in the server's list
  State state_ = State::idle;
  Clock::time_point state_since_;
  bool too_slow_ = false;
  bool is_rejected_ = false;
  int empty_lines_ = 0;

  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  CachedAuthorization authorization_;
  Clock::time_point request_began_;
  bool keep_alive_ = false;
  std::string header_;
  std::size_t sent_bytes_ = 0;  // of the current response
  Body unsent_body_;            // the memory that server_.unsent counts for this connection
};

}  // namespace hypeman::httpbridge
