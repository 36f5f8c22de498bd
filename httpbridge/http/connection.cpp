#include "httpbridge/http/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <spdlog/spdlog.h>

#include "base/logging.hpp"
#include "httpbridge/http/host.hpp"
#include "httpbridge/http/request.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/listen/listening_socket.hpp"

namespace hypeman::httpbridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t receive_bytes = 2048;  // a usual request arrives in one read
constexpr std::size_t max_write_bytes = std::size_t{64} << 10;  // others are served in between
constexpr std::size_t max_drained_bytes = std::size_t{4} << 20;
constexpr unsigned http_1_1 = 11;
constexpr int max_empty_lines = 8;  // before one request

std::string_view to_std(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

std::optional<std::string_view> authorization_header(const http::fields& fields) {
  const auto [first, last] = fields.equal_range(http::field::authorization);
  if (first == last) {
    return std::nullopt;
  }
  // Several headers are ambiguous, so none of them is used. This text is never a valid header
  // value.
  return std::next(first) == last ? to_std(first->value()) : "several";
}

/// Whether the end of the body is certain. A proxy in front may have another opinion on what is
/// refused here (RFC 9112, 6.1 and 6.3).
bool has_clear_framing(const http::request_header<>& header) {
  const auto codings = header.count(http::field::transfer_encoding);
  const auto lengths = header.count(http::field::content_length);
  if (codings == 0) {
    return lengths <= 1;
  }
  return codings == 1 && lengths == 0 && header.version() == http_1_1 &&
         boost::beast::iequals(header[http::field::transfer_encoding], "chunked");
}

}  // namespace

Connection::Connection(ServerState& server, Socket socket)
    : server_(server),
      socket_(std::move(socket)),
      buffer_(server.limits.header_bytes + server.limits.body_bytes) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

void Connection::start() {
  position_ = server_.connections.insert(server_.connections.end(), shared_from_this());
  enter(State::idle);
  asio::co_spawn(socket_.get_executor(), serve(),
                 [self = shared_from_this()](const std::exception_ptr& error) {
                   self->close();
                   if (error) {
                     std::rethrow_exception(error);  // ends Server::run()
                   }
                 });
}

void Connection::reject() {
  is_rejected_ = true;
  start();
}

void Connection::enter(State state) {
  state_ = state;
  state_since_ = Clock::now();
  if (is_open()) {
    server_.connections.splice(server_.connections.end(), server_.connections, position_);
  }
}

void Connection::close() {
  if (is_open()) {
    error_code ignored;
    socket_.close(ignored);
    release_body();
    server_.connections.erase(position_);
  }
}

Connection::Clock::duration Connection::time_limit() const {
  switch (state_) {
    case State::idle:
      return server_.limits.idle_timeout;
    case State::receiving:
      return server_.limits.request_timeout;
    case State::reading:
      return Clock::duration::max();
    case State::sending:
      return send_timeout(server_.limits, sent_bytes_);
    case State::draining:
      break;
  }
  return server_.limits.drain_timeout;
}

void Connection::enforce_timeout(Clock::time_point now) {
  if (now - state_since_ <= time_limit()) {
    return;
  }
  if (state_ == State::receiving) {
    too_slow_ = true;
    error_code ignored;
    socket_.cancel(ignored);  // receive_request() continues and reports the timeout
  } else {
    close();
  }
}

void Connection::shut_down() {
  if (state_ == State::idle) {
    // Not close(): a request may have arrived already. receive_request() wakes up and checks that.
    error_code ignored;
    socket_.cancel(ignored);
  } else if (state_ == State::draining) {
    close();
  }
}

Awaitable<void> Connection::serve() {
  // Called before each write of a response. Returns the size of the write.
  const auto count_sent = [this](const error_code& failure, std::size_t sent_bytes) {
    sent_bytes_ = sent_bytes;
    return failure ? 0 : max_write_bytes;
  };
  do {
    const auto received = co_await receive_request();
    if (!is_open()) {
      co_return;
    }
    auto route = received ? check_request() : tl::unexpected(refuse(received.error()));
    Reply reply;
    if (route) {
      enter(State::reading);
      const RouteKind kind = route->kind;
      const auto contents = co_await server_.statistics.read(*std::move(route));
      if (!is_open()) {
        co_return;
      }
      reply = contents ? reply_with(kind, *contents) : reply_with(contents.error());
    } else {
      reply = std::move(route).error();
    }
    const auto response = begin_response(reply);
    error_code error;
    co_await asio::async_write(socket_, response, count_sent, store_error(error));
    release_body();
    if (error) {
      co_return;
    }
  } while (keep_alive_);
  co_await drain();
}

Awaitable<tl::expected<void, BadRequest>> Connection::receive_request() {
  if (is_rejected_) {
    co_return tl::unexpected(BadRequest::too_many_connections);
  }
  empty_lines_ = 0;
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits.header_bytes));
  parser_->body_limit(server_.limits.body_bytes);
  enter(State::idle);
  for (;;) {
    const auto parsed = parse();
    if (!parsed || parser_->is_done() || expects_reply()) {
      co_return parsed;
    }
    const std::size_t room = std::min(receive_bytes, buffer_.max_size() - buffer_.size());
    if (room == 0) {
      co_return tl::unexpected(BadRequest::header_too_large);
    }
    error_code error;
    buffer_.commit(socket_.read_some(buffer_.prepare(room), error));
    if (!error) {
      continue;
    }
    const bool must_stop = server_.stopping && state_ == State::idle;
    if (error != asio::error::would_block || must_stop) {
      close();
      co_return parsed;
    }
    if (buffer_.size() == 0) {
      buffer_.shrink_to_fit();  // thousands of idle connections must not hold buffers
    }
    co_await socket_.async_wait(Socket::wait_read, store_error(error));
    if (too_slow_) {
      co_return tl::unexpected(BadRequest::too_slow);
    }
    if (error && error != asio::error::operation_aborted) {
      close();
      co_return parsed;
    }
  }
}

std::string_view Connection::buffered() const {
  return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
}

bool Connection::skip_empty_lines() {
  // RFC 9112, 2.2: some old clients send an empty line after a body.
  while (buffered().starts_with("\r\n")) {
    buffer_.consume(2);
    if (++empty_lines_ > max_empty_lines) {
      return false;
    }
  }
  return true;
}

bool Connection::expects_reply() const {
  return parser_->is_header_done() && parser_->get().version() == http_1_1 &&
         boost::beast::iequals(parser_->get()[http::field::expect], "100-continue");
}

tl::expected<void, BadRequest> Connection::parse() {
  if (state_ == State::idle) {
    if (!skip_empty_lines()) {
      return tl::unexpected(BadRequest::malformed);
    }
    if (buffered().empty() || buffered() == "\r") {
      return {};
    }
    enter(State::receiving);
  }
  error_code error;
  while (!parser_->is_done() && !error && buffer_.size() > 0) {
    buffer_.consume(parser_->put(buffer_.data(), error));
  }
  if (parser_->is_header_done() && !has_clear_framing(parser_->get())) {
    return tl::unexpected(BadRequest::malformed);
  }
  if (!error || error == http::error::need_more || parser_->is_done()) {
    return {};
  }
  if (error == http::error::body_limit) {
    return tl::unexpected(BadRequest::body_too_large);
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    // Without a target, the request line alone is longer than the limit.
    return tl::unexpected(parser_->get().target().empty() ? BadRequest::target_too_long
                                                          : BadRequest::header_too_large);
  }
  return tl::unexpected(BadRequest::malformed);
}

tl::expected<Route, Reply> Connection::check_request() {
  const auto& request = parser_->get();
  request_began_ = Clock::now();
  keep_alive_ = request.keep_alive() && parser_->is_done();
  if (request.target().size() > server_.limits.target_bytes) {
    return tl::unexpected(refuse(BadRequest::target_too_long));
  }
  if (request.version() > http_1_1 ||
      (request.version() == http_1_1 && request.count(http::field::host) != 1)) {
    return tl::unexpected(refuse(BadRequest::malformed));
  }
  if (server_.only_loopback_hosts && names_other_host()) {
    return tl::unexpected(reply_with(BadRequest::other_host));
  }
  const RequestHead head{to_std(request.method_string()), to_std(request.target()),
                         authorization_header(request),
                         to_std(request[http::field::if_none_match])};
  return route_request(head, server_.page, authorization_, server_.authorizer,
                       std::chrono::system_clock::now());
}

// A web page can make a browser connect to this host under a name of the page's own domain. The
// browser then sends that name. No browser connects to a unix socket.
bool Connection::names_other_host() const {
  const auto& request = parser_->get();
  const auto host = request.find(http::field::host);
  const std::string_view authority = authority_of(to_std(request.target()));
  error_code error;
  return socket_.local_endpoint(error).protocol().family() != AF_UNIX &&
         ((host != request.end() && !is_loopback_host(to_std(host->value()))) ||
          (!authority.empty() && !is_loopback_host(authority)));
}

Reply Connection::refuse(BadRequest reason) {
  keep_alive_ = false;  // the start of the next request is unknown
  request_began_ = state_since_;
  return reply_with(reason);
}

std::array<asio::const_buffer, 2> Connection::begin_response(const Reply& reply) {
  // Clients that do not read their responses must not use up the memory, and must not prevent that
  // others are served.
  while (!server_.unsent.has_room_for(reply.body) && close_slowest_reader()) {
  }
  keep_alive_ = keep_alive_ && !server_.stopping;
  const bool is_http_1_0 = parser_ && parser_->get().version() < http_1_1;
  const bool without_body =
      (parser_ && parser_->get().method() == http::verb::head) || reply.is_not_modified();
  write_header(reply, {is_http_1_0, keep_alive_, server_.date.now()}, header_);
  if (server_.access_log) {
    log(reply);
  }
  enter(State::sending);
  sent_bytes_ = 0;
  unsent_body_ = reply.body;
  server_.unsent.add(unsent_body_);
  return {asio::buffer(header_), without_body ? asio::const_buffer{} : asio::buffer(*reply.body)};
}

bool Connection::close_slowest_reader() {
  const auto slowest =
      std::find_if(server_.connections.begin(), server_.connections.end(),
                   [](const auto& connection) { return connection->state() == State::sending; });
  if (slowest == server_.connections.end()) {
    return false;
  }
  const auto found = *slowest;  // close() removes the list's reference
  found->close();
  return true;
}

void Connection::release_body() {
  if (unsent_body_) {
    server_.unsent.remove(unsent_body_);
    unsent_body_ = nullptr;
  }
}

// A close with unread input resets a TCP connection, and the client might never see the reply.
Awaitable<void> Connection::drain() {
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error || server_.stopping) {
    co_return;
  }
  enter(State::draining);
  buffer_.clear();
  std::size_t drained_bytes = 0;
  while (!error && drained_bytes <= max_drained_bytes) {
    drained_bytes +=
        co_await socket_.async_read_some(buffer_.prepare(receive_bytes), store_error(error));
  }
}

void Connection::log(const Reply& reply) {
  const auto duration =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - request_began_);
  std::string_view method;
  std::string_view path;
  if (parser_) {
    method = to_std(parser_->get().method_string());
    path = to_std(parser_->get().target());
    path = path.substr(0, path.find('?'));  // some clients send keys in the query
  }
  spdlog::info("{} \"{} {}\" {} {} bytes {} us", peer_name(socket_.native_handle()),
               printable(method), printable(path), reply.status, reply.body->size(),
               duration.count());
}

}  // namespace hypeman::httpbridge
