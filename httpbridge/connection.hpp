#pragma once

#include <chrono>
#include <cstddef>
#include <ctime>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "httpbridge/authorizer.hpp"
#include "httpbridge/decision.hpp"
#include "httpbridge/read_pool.hpp"
#include "httpbridge/reply.hpp"
#include "httpbridge/server.hpp"

namespace hypeman::httpbridge {

class Connection;

/// TCP or unix. The concrete executor spares each operation a virtual call.
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                boost::asio::io_context::executor_type>;

/// The open connections, the one whose state changed longest ago first.
using ConnectionList = std::list<std::shared_ptr<Connection>>;

/// The text of the Date header, made once a second.
class HttpDate {
 public:
  [[nodiscard]] std::string_view now();

 private:
  std::time_t time_ = 0;
  std::string text_;
};

/// What the connections of a server share. It outlives them; loop's thread only.
struct ServerState {
  ReadPool reads;
  std::shared_ptr<const Authorizer> authorizer;
  Limits limits;
  bool access_log = true;
  bool stopping = false;
  ConnectionList connections;
  std::size_t unsent_bytes = 0;
  HttpDate date;
};

/// One peer: receives a request, has it decided and read, answers, and again. Requests that a peer
/// pipelines are answered one after the other. Loop's thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  enum class State {
    idle,       ///< nothing of the next request has arrived
    receiving,  ///< a part of it has
    answering,  ///< its files are being read
    sending,
    draining,  ///< all is said; what the peer still sends is thrown away until it hangs up
  };

  Connection(ServerState& server, Socket socket);

  /// Enters the server's list and begins to receive.
  void start();

  /// Enters the list only to say that there are too many in it.
  void turn_away();

  [[nodiscard]] State state() const { return state_; }

  /// Ends what has lasted too long.
  void expire(Clock::time_point now);

  /// When the server stops: ends this connection unless a request of it is in flight.
  void finish();

  /// At once, whatever its state. Leaves the list.
  void close();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void enlist();
  void enter(State state);
  [[nodiscard]] bool has_unread();
  void next_request();
  void receive_more();
  void parse();
  void on_request();
  void refuse(BadRequest problem);
  void refuse(const boost::beast::error_code& error);
  void send(Reply reply);
  void count_as_sent();
  void on_sent();
  void drain();
  void log(const Reply& reply);

  ServerState& server_;
  Socket socket_;
  ConnectionList::iterator place_;
  bool listed_ = false;
  State state_ = State::idle;
  Clock::time_point since_;  // when it entered the state
  bool too_slow_ = false;

  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  ShownKey key_;

  Clock::time_point request_began_;
  bool keep_alive_ = false;
  std::string head_;
  Body body_;
  std::size_t unsent_ = 0;  // our share of the server's unsent_bytes
  std::size_t drained_ = 0;
};

}  // namespace hypeman::httpbridge
