#include "httpbridge/connection.hpp"

#include <array>
#include <ctime>
#include <utility>
#include <variant>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/logging.hpp"

namespace hypeman::httpbridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr std::size_t receive_bytes = 2048;  // one read takes any usual request whole
constexpr std::size_t max_drained_bytes = std::size_t{4} << 20;
constexpr unsigned http_1_1 = 11;

std::string_view to_std(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

std::optional<std::string_view> authorization_of(const http::fields& fields) {
  const auto [first, last] = fields.equal_range(http::field::authorization);
  if (first == last) {
    return std::nullopt;
  }
  // Two of them: which one counts would be a guess, so neither does.
  return std::next(first) == last ? to_std(first->value()) : "several";
}

bool has_one_host(const http::fields& fields) {
  return fields.count(http::field::host) == 1;
}

}  // namespace

std::string_view HttpDate::now() {
  const std::time_t now = std::time(nullptr);
  if (now != time_) {
    time_ = now;
    text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return text_;
}

Connection::Connection(ServerState& server, Socket socket)
    : server_(server),
      socket_(std::move(socket)),
      buffer_(server.limits.header_bytes + server.limits.body_bytes) {}

void Connection::start() {
  enlist();
  next_request();
}

void Connection::turn_away() {
  enlist();
  refuse(BadRequest::too_many_connections);
}

void Connection::enlist() {
  place_ = server_.connections.insert(server_.connections.end(), shared_from_this());
  listed_ = true;
  enter(State::idle);
}

void Connection::enter(State state) {
  state_ = state;
  since_ = Clock::now();
  server_.connections.splice(server_.connections.end(), server_.connections, place_);
}

void Connection::close() {
  if (listed_) {
    listed_ = false;
    error_code ignored;
    socket_.close(ignored);
    count_as_sent();
    const auto self = shared_from_this();
    server_.connections.erase(place_);
  }
}

void Connection::expire(Clock::time_point now) {
  const auto lasts = now - since_;
  switch (state_) {
    case State::idle:
      if (lasts > server_.limits.idle_time) {
        close();
      }
      break;
    case State::receiving:
      if (lasts > server_.limits.request_time) {
        too_slow_ = true;  // the cancelled read says so to the peer
        error_code ignored;
        socket_.cancel(ignored);
      }
      break;
    case State::answering:  // the read pool keeps the bound
      break;
    case State::sending:
      if (lasts > server_.limits.request_time) {
        close();
      }
      break;
    case State::draining:
      if (lasts > server_.limits.drain_time) {
        close();
      }
      break;
  }
}

void Connection::finish() {
  error_code ignored;
  if (state_ == State::idle) {
    socket_.cancel(ignored);  // not close(): the read may have taken in a request already
  } else if (state_ == State::draining) {
    close();
  }
}

bool Connection::has_unread() {
  error_code ignored;
  return socket_.available(ignored) > 0;
}

void Connection::next_request() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits.header_bytes));
  parser_->body_limit(server_.limits.body_bytes);
  enter(State::idle);
  if (buffer_.size() > 0) {
    parse();
  } else {
    receive_more();
  }
}

void Connection::receive_more() {
  const std::size_t room = std::min(receive_bytes, buffer_.max_size() - buffer_.size());
  if (room == 0) {
    refuse(BadRequest::header_too_large);
    return;
  }
  socket_.async_read_some(
      buffer_.prepare(room), [self = shared_from_this()](error_code error, std::size_t size) {
        if (!self->listed_) {
          return;
        }
        if (self->too_slow_) {
          self->refuse(BadRequest::too_slow);
        } else if (error == asio::error::operation_aborted && self->has_unread()) {
          self->receive_more();  // finish() came just before the request
        } else if (error) {
          self->close();
        } else {
          self->buffer_.commit(size);
          self->parse();
        }
      });
}

void Connection::parse() {
  if (state_ == State::idle) {
    enter(State::receiving);
  }
  error_code error;
  while (!parser_->is_done() && !error && buffer_.size() > 0) {
    buffer_.consume(parser_->put(buffer_.data(), error));
  }
  if (parser_->is_done()) {
    on_request();
  } else if (!error || error == http::error::need_more) {
    receive_more();
  } else {
    refuse(error);
  }
}

void Connection::on_request() {
  const auto& request = parser_->get();
  request_began_ = Clock::now();
  keep_alive_ = request.keep_alive();
  if (request.target().size() > server_.limits.target_bytes) {
    refuse(BadRequest::target_too_long);
    return;
  }
  if (request.version() > http_1_1 || (request.version() == http_1_1 && !has_one_host(request))) {
    refuse(BadRequest::malformed);
    return;
  }
  const RequestHead head{to_std(request.method_string()), to_std(request.target()),
                         authorization_of(request)};
  Decision decision = decide(head, key_, server_.authorizer, std::chrono::system_clock::now());
  if (auto* reply = std::get_if<Reply>(&decision)) {
    send(std::move(*reply));
    return;
  }
  enter(State::answering);
  const auto& resource = std::get<Resource>(decision);
  server_.reads.async_read(
      resource, [self = shared_from_this(), kind = resource.kind](const ReadPool::Result& result) {
        if (self->listed_) {
          self->send(result ? reply_with(kind, *result) : reply_with(result.error()));
        }
      });
}

void Connection::refuse(BadRequest problem) {
  keep_alive_ = false;  // where the next request would begin is unknown
  request_began_ = since_;
  send(reply_with(problem));
}

void Connection::refuse(const error_code& error) {
  if (error == http::error::body_limit) {
    refuse(BadRequest::body_too_large);
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    // Without a target, it was the request line that took all the room.
    refuse(parser_->get().target().empty() ? BadRequest::target_too_long
                                           : BadRequest::header_too_large);
  } else {
    refuse(BadRequest::malformed);
  }
}

void Connection::send(Reply reply) {
  // Peers that ask for much and read nothing must not add up; a lone answer is always let through.
  if (server_.unsent_bytes > 0 &&
      server_.unsent_bytes + reply.body->size() > server_.limits.unsent_bytes) {
    reply = reply_with(ReadFailure::unavailable);
  }
  keep_alive_ = keep_alive_ && !server_.stopping;
  const bool http_1_0 = parser_ && parser_->get().version() < http_1_1;
  render_head(reply, {http_1_0, keep_alive_, server_.date.now()}, head_);
  if (server_.access_log) {
    log(reply);
  }
  enter(State::sending);
  const bool without_body = parser_ && parser_->get().method() == http::verb::head;
  body_ = std::move(reply.body);
  unsent_ = body_->size();
  server_.unsent_bytes += unsent_;
  const std::array<asio::const_buffer, 2> parts{
      asio::buffer(head_), without_body ? asio::const_buffer{} : asio::buffer(*body_)};
  asio::async_write(socket_, parts,
                    [self = shared_from_this()](error_code error, std::size_t /*size*/) {
                      if (!self->listed_) {
                        return;
                      }
                      if (error) {
                        self->close();
                      } else {
                        self->on_sent();
                      }
                    });
}

void Connection::count_as_sent() {
  server_.unsent_bytes -= std::exchange(unsent_, 0);
}

void Connection::on_sent() {
  count_as_sent();
  body_.reset();
  if (keep_alive_) {
    if (buffer_.size() == 0 && buffer_.capacity() > receive_bytes) {
      // Thousands of idle connections shall not hold what they once needed.
      buffer_.shrink_to_fit();
    }
    next_request();
    if (server_.stopping) {
      finish();  // the stop came while this answer, which still promised to go on, was being sent
    }
    return;
  }
  // Closing with bytes unread would reset the connection, and the peer might never see the answer.
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error || server_.stopping) {
    close();
    return;
  }
  enter(State::draining);
  buffer_.clear();
  drain();
}

void Connection::drain() {
  socket_.async_read_some(buffer_.prepare(receive_bytes),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            if (!self->listed_) {
                              return;
                            }
                            self->drained_ += size;
                            if (error || self->drained_ > max_drained_bytes) {
                              self->close();
                            } else {
                              self->drain();
                            }
                          });
}

void Connection::log(const Reply& reply) {
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - request_began_);
  std::string_view method;
  std::string_view path;
  if (parser_) {
    method = to_std(parser_->get().method_string());
    path = to_std(parser_->get().target());
    path = path.substr(0, path.find('?'));  // some clients put keys into the query
  }
  spdlog::info("{} \"{} {}\" {} {} bytes {} us", peer_name(socket_.native_handle()),
               printable(method), printable(path), reply.status, reply.body->size(), took.count());
}

}  // namespace hypeman::httpbridge
