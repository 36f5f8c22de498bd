#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "httpbridge/listen/listen_address.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// A listening stream socket. Owns the socket file of a unix socket that this program created.
class ListeningSocket {
 public:
  /// Does not own a socket file.
  explicit ListeningSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  /// Removes the socket file at `path` in the destructor, unless another file has replaced it.
  ListeningSocket(UniqueFd fd, std::string path);
  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept = default;
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket();

  /// A new descriptor of the same socket.
  [[nodiscard]] UniqueFd duplicate() const;

  /// AF_INET, AF_INET6 or AF_UNIX.
  [[nodiscard]] int family() const;

  /// In the format of parse_listen_address(), with the actual port.
  [[nodiscard]] std::string address() const;

  /// Whether only processes on this host can connect.
  [[nodiscard]] bool is_local() const;

 private:
  UniqueFd fd_;
  std::string path_;  // empty: nothing to remove
  // The file at `path_`. The socket keeps the inode, so no other file gets its number.
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Binds and listens. A host name may have several addresses. Replaces a socket file only if no
/// process serves it. `mode` is that of a new socket file; without it, the umask decides. Changes
/// the umask for a moment, so no other thread may run.
[[nodiscard]] tl::expected<std::vector<ListeningSocket>, StartupError> listen_at(
    const ListenAddress& address, std::optional<unsigned> mode);

/// The sockets that systemd passed (sd_listen_fds(3)). May be empty.
[[nodiscard]] tl::expected<std::vector<ListeningSocket>, StartupError> activated_sockets();

/// The address of the peer of a connected socket: `127.0.0.1:4711`, `[::1]:4711` or `unix`.
[[nodiscard]] std::string peer_name(int fd);

}  // namespace hypeman::httpbridge
