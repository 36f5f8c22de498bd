#include "httpbridge/server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <list>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include "httpbridge/connection.hpp"

namespace hypeman::httpbridge {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using Acceptor =
    asio::basic_socket_acceptor<asio::generic::stream_protocol, asio::io_context::executor_type>;

constexpr std::chrono::milliseconds sweep_interval{250};
constexpr std::chrono::milliseconds stop_interval{10};
constexpr std::chrono::milliseconds accept_pause{100};

class Server {
 public:
  explicit Server(Service service);
  void run();

 private:
  struct Listener {
    explicit Listener(asio::io_context& loop) : acceptor(loop), pause(loop) {}

    Acceptor acceptor;
    asio::steady_timer pause;  // when descriptors have run out
  };

  void accept(Listener& listener);
  void accept_the_last(Listener& listener);
  void welcome(Socket socket);
  [[nodiscard]] bool make_room();
  void sweep();
  void await_signal();
  void reload();
  void stop();

  asio::io_context loop_;
  std::vector<ListeningSocket> sockets_;
  std::function<std::shared_ptr<const Authorizer>()> reload_;
  ServerState state_;
  std::list<Listener> listeners_;
  asio::signal_set signals_;
  asio::steady_timer sweeper_;
  bool sweeping_ = false;
  Connection::Clock::time_point stop_by_ = Connection::Clock::time_point::max();
};

Server::Server(Service service)
    : sockets_(std::move(service.sockets)),
      reload_(std::move(service.reload)),
      state_{.reads = {loop_, service.read, service.limits.request_time},
             .authorizer = std::move(service.authorizer),
             .limits = service.limits,
             .access_log = service.access_log,
             .stopping = false,
             .connections = {},
             .date = {}},
      signals_(loop_, SIGTERM, SIGINT, SIGHUP),
      sweeper_(loop_) {
  for (const ListeningSocket& socket : sockets_) {
    Listener& listener = listeners_.emplace_back(loop_);
    // The acceptor closes its descriptor, the ListeningSocket its own: one socket, two owners.
    listener.acceptor.assign({socket.family(), 0}, socket.duplicate().release());
  }
}

void Server::run() {
  await_signal();
  for (Listener& listener : listeners_) {
    accept(listener);
  }
  for (const ListeningSocket& socket : sockets_) {
    spdlog::info("listening at {}", socket.address());
  }
  ::sd_notify(/*unset_environment=*/0, "READY=1");
  loop_.run();
}

void Server::accept(Listener& listener) {
  listener.acceptor.async_accept(
      loop_.get_executor(), [this, &listener](const error_code& error, Socket socket) {
        if (!error) {
          welcome(std::move(socket));
        }
        if (state_.stopping) {
          return;
        }
        if (error) {
          // Most likely, descriptors have run out.
          spdlog::warn("cannot accept: {}; closing the longest idle connection", error.message());
          static_cast<void>(make_room());
          listener.pause.expires_after(accept_pause);
          listener.pause.async_wait([this, &listener](const error_code& /*cancelled*/) {
            if (!state_.stopping) {
              accept(listener);
            }
          });
          return;
        }
        accept(listener);
      });
}

/// Whoever the kernel has connected already may have sent a request already.
void Server::accept_the_last(Listener& listener) {
  error_code error;
  listener.acceptor.non_blocking(true, error);
  for (int i = 0; i < SOMAXCONN && !error; ++i) {
    Socket socket{loop_};
    listener.acceptor.accept(socket, error);
    if (!error) {
      welcome(std::move(socket));
    }
  }
  listener.acceptor.close(error);
}

void Server::welcome(Socket socket) {
  const bool room = state_.connections.size() < state_.limits.connections || make_room();
  const auto connection = std::make_shared<Connection>(state_, std::move(socket));
  if (room) {
    connection->start();
  } else {
    connection->turn_away();
  }
  if (state_.stopping) {
    connection->finish();
  }
  if (!sweeping_) {
    sweep();
  }
}

/// Whoever wants to be served now goes before those who keep us waiting: first the one that idles
/// longest, else the one that is longest about to send its request or to take its answer.
bool Server::make_room() {
  using State = Connection::State;
  auto& connections = state_.connections;
  auto found = std::find_if(connections.begin(), connections.end(), [](const auto& connection) {
    return connection->state() == State::idle;
  });
  if (found == connections.end()) {
    found = std::find_if(connections.begin(), connections.end(), [](const auto& connection) {
      return connection->state() != State::answering;
    });
  }
  if (found == connections.end()) {
    return false;
  }
  const auto connection = *found;
  connection->close();
  return true;
}

/// Runs only while there are connections: an idle bridge does not wake up.
void Server::sweep() {
  const auto now = Connection::Clock::now();
  state_.reads.expire(now);
  for (auto next = state_.connections.begin(); next != state_.connections.end();) {
    const auto connection = *next++;
    connection->expire(now);
  }
  const bool bound_reached = now >= stop_by_;
  if (state_.stopping && (state_.connections.empty() || bound_reached)) {
    if (bound_reached) {
      spdlog::warn("stopped with {} requests unanswered", state_.connections.size());
    }
    loop_.stop();
    return;
  }
  sweeping_ = !state_.connections.empty();
  if (sweeping_) {
    sweeper_.expires_after(state_.stopping ? stop_interval : sweep_interval);
    sweeper_.async_wait([this](const error_code& cancelled) {
      if (!cancelled) {
        sweep();
      }
    });
  }
}

void Server::await_signal() {
  signals_.async_wait([this](const error_code& cancelled, int signal) {
    if (cancelled) {
      return;
    }
    if (signal == SIGHUP) {
      reload();
    } else {
      stop();
    }
    await_signal();
  });
}

void Server::reload() {
  ::sd_notify(0, "RELOADING=1");
  if (auto authorizer = reload_()) {
    state_.authorizer = std::move(authorizer);
    spdlog::info("keys read again");
  }
  ::sd_notify(0, "READY=1");
}

void Server::stop() {
  if (state_.stopping) {
    return;
  }
  ::sd_notify(0, "STOPPING=1");
  spdlog::info("stopping");
  for (Listener& listener : listeners_) {
    accept_the_last(listener);
  }
  state_.stopping = true;
  stop_by_ = Connection::Clock::now() + state_.limits.stop_time;
  sockets_.clear();
  for (auto next = state_.connections.begin(); next != state_.connections.end();) {
    const auto connection = *next++;
    connection->finish();
  }
  // Not at once: a connection may have been accepted whose handler is yet to run.
  asio::post(loop_, [this] { sweep(); });
}

}  // namespace

void serve(Service service) {
  Server{std::move(service)}.run();
}

}  // namespace hypeman::httpbridge
