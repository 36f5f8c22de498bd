#include "httpbridge/http/connection.hpp"

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
#include <boost/beast/http/error.hpp>
#include <spdlog/spdlog.h>

#include "base/logging.hpp"
#include "httpbridge/http/request.hpp"
#include "httpbridge/http/route.hpp"
#include "httpbridge/listen/listening_socket.hpp"

namespace hypeman::httpbridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t receive_bytes = 2048;  // a usual request arrives in one read
constexpr std::size_t max_drained_bytes = std::size_t{4} << 20;
constexpr unsigned http_1_1 = 11;

std::string_view to_std(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

std::optional<std::string_view> authorization_header(const http::fields& fields) {
  const auto [first, last] = fields.equal_range(http::field::authorization);
  if (first == last) {
    return std::nullopt;
  }
  // Two headers are ambiguous. Neither is used: this text is not a valid header value.
  return std::next(first) == last ? to_std(first->value()) : "several";
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
  run(serve());
}

void Connection::reject() {
  run(send_rejection());
}

void Connection::run(Awaitable<void> coroutine) {
  position_ = server_.connections.insert(server_.connections.end(), shared_from_this());
  enter(State::idle);
  asio::co_spawn(socket_.get_executor(), std::move(coroutine),
                 [self = shared_from_this()](const std::exception_ptr& error) {
                   self->close();
                   if (error) {
                     std::rethrow_exception(error);  // out of the event loop
                   }
                 });
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
    server_.connections.erase(position_);
  }
}

void Connection::enforce_timeout(Clock::time_point now) {
  const auto duration = now - state_since_;
  const Limits& limits = server_.limits;
  switch (state_) {
    case State::idle:
      if (duration > limits.idle_timeout) {
        close();
      }
      break;
    case State::receiving:
      if (duration > limits.request_timeout) {
        too_slow_ = true;
        error_code ignored;
        socket_.cancel(ignored);  // receive_request() continues and reports the timeout
      }
      break;
    case State::reading:  // the read pool enforces its own timeout
      break;
    case State::sending:
      if (duration > limits.request_timeout) {
        close();
      }
      break;
    case State::draining:
      if (duration > limits.drain_timeout) {
        close();
      }
      break;
  }
}

void Connection::shut_down() {
  if (state_ == State::idle) {
    // Not close(): a request may have arrived already. receive_request() continues and checks that.
    error_code ignored;
    socket_.cancel(ignored);
  } else if (state_ == State::draining) {
    close();
  }
}

bool Connection::has_unread_data() {
  error_code ignored;
  return socket_.available(ignored) > 0;
}

Awaitable<void> Connection::serve() {
  do {
    const auto received = co_await receive_request();
    if (!is_open()) {
      co_return;
    }
    Reply reply;
    if (received) {
      reply = co_await handle_request();
    } else {
      reply = refuse(received.error());
    }
    co_await send(std::move(reply));
  } while (is_open() && keep_alive_);
  co_await drain();
}

Awaitable<void> Connection::send_rejection() {
  co_await send(refuse(BadRequest::too_many_connections));
  co_await drain();
}

Awaitable<tl::expected<void, BadRequest>> Connection::receive_request() {
  if (buffer_.size() == 0 && buffer_.capacity() > receive_bytes) {
    buffer_.shrink_to_fit();
  }
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits.header_bytes));
  parser_->body_limit(server_.limits.body_bytes);
  enter(State::idle);
  for (;;) {
    const auto parsed = parse();
    if (!parsed || parser_->is_done()) {
      co_return parsed;
    }
    const std::size_t room = std::min(receive_bytes, buffer_.max_size() - buffer_.size());
    if (room == 0) {
      co_return tl::unexpected(BadRequest::header_too_large);
    }
    if (state_ == State::idle && server_.stopping && !has_unread_data()) {
      close();
      co_return parsed;
    }
    // The wait needs no buffer, so thousands of idle connections hold none.
    error_code error;
    co_await socket_.async_wait(Socket::wait_read, store_error(error));
    if (too_slow_) {
      co_return tl::unexpected(BadRequest::too_slow);
    }
    if (!error) {
      buffer_.commit(socket_.read_some(buffer_.prepare(room), error));
    }
    const bool is_cancelled = error == asio::error::operation_aborted && is_open();
    if (error && !is_cancelled && error != asio::error::would_block) {
      close();
      co_return parsed;
    }
  }
}

tl::expected<void, BadRequest> Connection::parse() {
  if (state_ == State::idle && buffer_.size() > 0) {
    enter(State::receiving);
  }
  error_code error;
  while (!parser_->is_done() && !error && buffer_.size() > 0) {
    buffer_.consume(parser_->put(buffer_.data(), error));
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

Awaitable<Reply> Connection::handle_request() {
  const auto& request = parser_->get();
  request_began_ = Clock::now();
  keep_alive_ = request.keep_alive();
  if (request.target().size() > server_.limits.target_bytes) {
    co_return refuse(BadRequest::target_too_long);
  }
  if (request.version() > http_1_1 ||
      (request.version() == http_1_1 && request.count(http::field::host) != 1)) {
    co_return refuse(BadRequest::malformed);
  }
  const RequestHead head{to_std(request.method_string()), to_std(request.target()),
                         authorization_header(request)};
  auto route =
      route_request(head, authorization_, server_.authorizer, std::chrono::system_clock::now());
  if (!route) {
    co_return std::move(route).error();
  }
  enter(State::reading);
  const RouteKind kind = route->kind;
  auto contents = co_await server_.reads.async_read(*std::move(route), use_awaitable);
  if (!contents) {
    co_return reply_with(contents.error());
  }
  co_return reply_with(kind, *std::move(contents));
}

Reply Connection::refuse(BadRequest reason) {
  keep_alive_ = false;  // the start of the next request is unknown
  request_began_ = state_since_;
  return reply_with(reason);
}

Awaitable<void> Connection::send(Reply reply) {
  if (!is_open()) {
    co_return;
  }
  // Clients that request much and read nothing must not add up. A single reply is always sent.
  if (server_.unsent_bytes > 0 &&
      server_.unsent_bytes + reply.body->size() > server_.limits.unsent_bytes) {
    reply = reply_with(ReadError::unavailable);
  }
  keep_alive_ = keep_alive_ && !server_.stopping;
  const bool is_http_1_0 = parser_ && parser_->get().version() < http_1_1;
  const bool without_body = parser_ && parser_->get().method() == http::verb::head;
  write_header(reply, {is_http_1_0, keep_alive_, server_.date.now()}, header_);
  if (server_.access_log) {
    log(reply);
  }
  enter(State::sending);
  const std::array<asio::const_buffer, 2> parts{
      asio::buffer(header_), without_body ? asio::const_buffer{} : asio::buffer(*reply.body)};
  server_.unsent_bytes += reply.body->size();
  error_code error;
  co_await asio::async_write(socket_, parts, store_error(error));
  server_.unsent_bytes -= reply.body->size();
  if (error) {
    close();
  }
}

// close() with unread input resets a TCP connection, and the client might never see the reply.
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
