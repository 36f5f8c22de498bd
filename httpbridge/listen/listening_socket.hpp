#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "httpbridge/listen/listen_address.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// A stream socket that listens, and the file it leaves in the file system if it is a unix one.
class ListeningSocket {
 public:
  /// Leaves the socket's file, if there is one, to whoever made it.
  explicit ListeningSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  /// Removes the file at `path` with itself.
  ListeningSocket(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept = default;
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket();

  /// Another descriptor of the same socket.
  [[nodiscard]] UniqueFd duplicate() const;

  /// AF_INET, AF_INET6 or AF_UNIX.
  [[nodiscard]] int family() const;

  /// As parse_listen_address() takes it, with the port that the kernel picked.
  [[nodiscard]] std::string address() const;

  /// Whether only processes of this host can connect.
  [[nodiscard]] bool is_local() const;

 private:
  UniqueFd fd_;
  std::string path_;  // empty: nothing to remove
};

/// Binds and listens; a host name may stand for several addresses. The socket file that a dead
/// process left is replaced, one that somebody serves is not.
[[nodiscard]] tl::expected<std::vector<ListeningSocket>, StartupError> listen_at(
    const ListenAddress& address);

/// The sockets that systemd passed (sd_listen_fds(3)); none if it passed none.
[[nodiscard]] tl::expected<std::vector<ListeningSocket>, StartupError> activated_sockets();

/// The other end of a connected socket: `127.0.0.1:4711`, `[::1]:4711` or `unix`.
[[nodiscard]] std::string peer_name(int fd);

}  // namespace hypeman::httpbridge
