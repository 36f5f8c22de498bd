#include "httpbridge/http/server.hpp"

#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <list>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include "httpbridge/http/awaitable.hpp"
#include "httpbridge/http/connection.hpp"

namespace hypeman::httpbridge {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;

constexpr std::chrono::milliseconds timeout_check_interval{250};
constexpr std::chrono::milliseconds shutdown_check_interval{10};
constexpr std::chrono::milliseconds accept_retry_delay{100};

class Server {
 public:
  explicit Server(ServerConfig config);

  /// Returns when the last coroutine has ended.
  void run();

 private:
  void spawn(Awaitable<void> coroutine);
  Awaitable<void> handle_signals();
  Awaitable<void> accept_connections(Acceptor& acceptor);
  void accept_pending_connections(Acceptor& acceptor);
  void start_connection(Socket socket);
  [[nodiscard]] bool close_one_connection();
  Awaitable<void> enforce_timeouts();
  void close_all_connections();
  void reload();
  void stop();

  asio::io_context loop_;
  std::vector<ListeningSocket> sockets_;
  std::function<std::shared_ptr<const Authorizer>()> reload_;
  ServerState state_;
  std::list<Acceptor> acceptors_;
  asio::signal_set signals_;
  asio::steady_timer timeout_timer_;
  bool timeout_timer_runs_ = false;
  Connection::Clock::time_point stop_deadline_ = Connection::Clock::time_point::max();
};

Server::Server(ServerConfig config)
    : sockets_(std::move(config.sockets)),
      reload_(std::move(config.reload)),
      state_{.statistics = {loop_, config.source, config.limits},
             .authorizer = std::move(config.authorizer),
             .limits = config.limits,
             .access_log = config.access_log,
             .page = std::move(config.page),
             .only_loopback_hosts = config.only_loopback_hosts,
             .unsent = UnsentBodies{config.limits.unsent_bytes}},
      signals_(loop_, SIGTERM, SIGINT, SIGHUP),
      timeout_timer_(loop_) {
  for (const ListeningSocket& socket : sockets_) {
    Acceptor& acceptor = acceptors_.emplace_back(loop_);
    // The acceptor will close its descriptor, so this gives it a duplicate.
    acceptor.assign({socket.family(), 0}, socket.duplicate().release());
  }
}

void Server::run() {
  spawn(handle_signals());
  for (Acceptor& acceptor : acceptors_) {
    spawn(accept_connections(acceptor));
  }
  for (const ListeningSocket& socket : sockets_) {
    spdlog::info("listening at {}", socket.address());
  }
  ::sd_notify(/*unset_environment=*/0, "READY=1");
  loop_.run();
}

void Server::spawn(Awaitable<void> coroutine) {
  asio::co_spawn(loop_.get_executor(), std::move(coroutine), [](const std::exception_ptr& error) {
    if (error) {
      std::rethrow_exception(error);  // ends run()
    }
  });
}

Awaitable<void> Server::handle_signals() {
  while (!state_.stopping) {
    const int signal = co_await signals_.async_wait(use_awaitable);
    if (signal == SIGHUP) {
      reload();
    } else {
      stop();
    }
  }
}

void Server::reload() {
  ::sd_notify(0, "RELOADING=1");
  if (auto authorizer = reload_()) {
    state_.authorizer = std::move(authorizer);
    spdlog::info("read the key files again");
  }
  ::sd_notify(0, "READY=1");
}

void Server::stop() {
  ::sd_notify(0, "STOPPING=1");
  spdlog::info("stopping");
  for (Acceptor& acceptor : acceptors_) {
    accept_pending_connections(acceptor);
  }
  state_.stopping = true;
  stop_deadline_ = Connection::Clock::now() + state_.limits.shutdown_timeout;
  sockets_.clear();
  for (auto next = state_.connections.begin(); next != state_.connections.end();) {
    const auto connection = *next++;
    connection->shut_down();
  }
  timeout_timer_.cancel();  // the shorter interval applies now
}

Awaitable<void> Server::accept_connections(Acceptor& acceptor) {
  while (!state_.stopping) {
    error_code error;
    Socket socket = co_await acceptor.async_accept(store_error(error));
    if (!error) {
      start_connection(std::move(socket));
    } else if (!state_.stopping) {
      // The usual cause: the process has no free descriptor.
      spdlog::warn("cannot accept a connection: {}; closing the longest idle one", error.message());
      static_cast<void>(close_one_connection());
      asio::steady_timer delay{loop_, accept_retry_delay};
      co_await delay.async_wait(use_awaitable);
    }
  }
}

/// Closes the acceptor. The kernel may have connected clients that have already sent a request.
void Server::accept_pending_connections(Acceptor& acceptor) {
  error_code error;
  acceptor.non_blocking(true, error);
  for (int i = 0; i < SOMAXCONN && !error; ++i) {
    Socket socket{loop_};
    acceptor.accept(socket, error);
    if (!error) {
      start_connection(std::move(socket));
    }
  }
  acceptor.close(error);
}

void Server::start_connection(Socket socket) {
  const bool is_allowed =
      state_.connections.size() < state_.limits.connections || close_one_connection();
  const auto connection = std::make_shared<Connection>(state_, std::move(socket));
  if (is_allowed) {
    connection->start();
  } else {
    connection->reject();
  }
  if (!timeout_timer_runs_) {
    timeout_timer_runs_ = true;
    spawn(enforce_timeouts());
  }
}

/// Closes the connection that has been idle for the longest time. Without an idle one, closes the
/// one that has been receiving or sending for the longest time.
bool Server::close_one_connection() {
  using State = Connection::State;
  for (const bool only_idle : {true, false}) {
    for (const auto& connection : state_.connections) {
      const State state = connection->state();
      if (state == State::idle || (!only_idle && state != State::reading)) {
        const auto found = connection;  // close() removes the list's reference
        found->close();
        return true;
      }
    }
  }
  return false;
}

/// Runs only while connections are open, so the process of an idle server does not wake up.
Awaitable<void> Server::enforce_timeouts() {
  while (!state_.connections.empty()) {
    timeout_timer_.expires_after(state_.stopping ? shutdown_check_interval
                                                 : timeout_check_interval);
    error_code is_cancelled;
    co_await timeout_timer_.async_wait(store_error(is_cancelled));
    const auto now = Connection::Clock::now();
    state_.statistics.expire(now);
    for (auto next = state_.connections.begin(); next != state_.connections.end();) {
      const auto connection = *next++;
      connection->enforce_timeout(now);
    }
    if (now >= stop_deadline_ && !state_.connections.empty()) {
      close_all_connections();
    }
  }
  timeout_timer_runs_ = false;
}

void Server::close_all_connections() {
  // A connection without a request ended in stop(), or after its last response.
  spdlog::warn("stopped with unfinished requests: {}", state_.connections.size());
  while (!state_.connections.empty()) {
    const auto connection = state_.connections.front();
    connection->close();
  }
  state_.statistics.fail_all();  // ends the coroutines that wait
}

}  // namespace

void serve(ServerConfig config) {
  Server{std::move(config)}.run();
}

}  // namespace hypeman::httpbridge
