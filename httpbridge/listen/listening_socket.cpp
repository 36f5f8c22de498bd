#include "httpbridge/listen/listening_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

namespace hypeman::httpbridge {
namespace {

using Sockets = tl::expected<std::vector<ListeningSocket>, StartupError>;

/// A socket address of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  template <typename T>
  [[nodiscard]] T as() const {
    T address{};
    std::memcpy(&address, &storage, sizeof(address));
    return address;
  }
};

tl::unexpected<StartupError> cannot_listen(std::string_view where, int error,
                                           std::string_view advice) {
  int status = EX_OSERR;
  if (error == EADDRINUSE || error == EADDRNOTAVAIL) {
    status = EX_UNAVAILABLE;
  } else if (error == EACCES || error == EPERM) {
    status = EX_NOPERM;
  }
  return tl::unexpected(
      StartupError{status, fmt::format("cannot listen at {}: {}; {}", where,
                                       std::generic_category().message(error), advice)});
}

tl::expected<UniqueFd, int> bound_socket(const Address& address) {
  UniqueFd fd{::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) {
    return tl::unexpected(errno);
  }
  constexpr int on = 1;
  if (address.storage.ss_family != AF_UNIX) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // A response is one write, which must not be delayed. Accepted sockets inherit the option.
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (address.storage.ss_family == AF_INET6) {
    // Allows to listen at both 0.0.0.0:80 and [::]:80.
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (::bind(fd.get(), address.get(), address.size) != 0) {
    return tl::unexpected(errno);
  }
  return fd;
}

tl::expected<UniqueFd, int> listening(tl::expected<UniqueFd, int> fd) {
  if (fd && ::listen(fd->get(), SOMAXCONN) != 0) {
    return tl::unexpected(errno);
  }
  return fd;
}

Sockets listen_at_tcp(const TcpAddress& at) {
  const std::string where = fmt::format("{}:{}", at.host, at.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(at.host.c_str(), at.port.c_str(), &hints, &found);
      error != 0) {
    return tl::unexpected(
        StartupError{EX_NOHOST, fmt::format("cannot listen at {}: {}; use an address of this host",
                                            where, ::gai_strerror(error))});
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  std::vector<ListeningSocket> sockets;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Address address;
    address.size = info->ai_addrlen;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    auto fd = listening(bound_socket(address));
    if (!fd) {
      return cannot_listen(where, fd.error(), "choose another address with --listen");
    }
    sockets.emplace_back(*std::move(fd));
  }
  return sockets;
}

/// Whether this user owns the socket file and no process serves it.
bool is_stale(const std::string& path, const Address& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode) ||
      status.st_uid != ::geteuid()) {
    return false;
  }
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  return probe && ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

/// Sets the mode of the files that this process creates, until the destructor runs.
class FileMode {
 public:
  explicit FileMode(std::optional<unsigned> mode) {
    if (mode) {
      old_umask_ = ::umask(~*mode & 0777U);
    }
  }
  ~FileMode() {
    if (old_umask_) {
      ::umask(*old_umask_);
    }
  }
  FileMode(const FileMode&) = delete;
  FileMode& operator=(const FileMode&) = delete;
  FileMode(FileMode&&) = delete;
  FileMode& operator=(FileMode&&) = delete;

 private:
  std::optional<mode_t> old_umask_;
};

Sockets listen_at_unix(const UnixAddress& at, std::optional<unsigned> mode) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  at.path.copy(static_cast<char*>(name.sun_path), sizeof(name.sun_path) - 1);
  Address address;
  address.size = sizeof(name);
  std::memcpy(&address.storage, &name, sizeof(name));

  const FileMode file_mode{mode};
  auto fd = bound_socket(address);
  if (!fd && fd.error() == EADDRINUSE && is_stale(at.path, address)) {
    ::unlink(at.path.c_str());
    fd = bound_socket(address);
  }
  fd = listening(std::move(fd));
  if (!fd) {
    return cannot_listen(at.path, fd.error(),
                         fd.error() == EADDRINUSE
                             ? "stop the process that serves it, or choose another path"
                             : "choose a path in a directory that exists and is writable");
  }
  std::vector<ListeningSocket> sockets;
  sockets.emplace_back(*std::move(fd), at.path);
  return sockets;
}

std::string to_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  switch (address.storage.ss_family) {
    case AF_INET: {
      const auto v4 = address.as<sockaddr_in>();
      ::inet_ntop(AF_INET, &v4.sin_addr, host.data(), host.size());
      return fmt::format("{}:{}", host.data(), ntohs(v4.sin_port));
    }
    case AF_INET6: {
      const auto v6 = address.as<sockaddr_in6>();
      ::inet_ntop(AF_INET6, &v6.sin6_addr, host.data(), host.size());
      return fmt::format("[{}]:{}", host.data(), ntohs(v6.sin6_port));
    }
    case AF_UNIX: {
      const auto name = address.as<sockaddr_un>();
      return fmt::format("unix:{}", static_cast<const char*>(name.sun_path));
    }
    default:
      return "unknown";
  }
}

Address local_address(int fd) {
  Address address;
  ::getsockname(fd, address.get(), &address.size);
  return address;
}

}  // namespace

ListeningSocket::ListeningSocket(UniqueFd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
}

ListeningSocket::~ListeningSocket() {
  struct stat status {};
  if (fd_ && !path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

UniqueFd ListeningSocket::duplicate() const {
  return UniqueFd{::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)};
}

int ListeningSocket::family() const {
  return local_address(fd_.get()).storage.ss_family;
}

std::string ListeningSocket::address() const {
  return to_text(local_address(fd_.get()));
}

bool ListeningSocket::is_local() const {
  const Address address = local_address(fd_.get());
  switch (address.storage.ss_family) {
    case AF_UNIX:
      return true;
    case AF_INET: {
      constexpr std::uint32_t loopback_network = 127;
      return ntohl(address.as<sockaddr_in>().sin_addr.s_addr) >> 24 == loopback_network;
    }
    case AF_INET6: {
      const auto v6 = address.as<sockaddr_in6>();
      return std::memcmp(&v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
    }
    default:
      return false;
  }
}

tl::expected<std::vector<ListeningSocket>, StartupError> listen_at(const ListenAddress& address,
                                                                   std::optional<unsigned> mode) {
  if (const auto* tcp = std::get_if<TcpAddress>(&address)) {
    return listen_at_tcp(*tcp);
  }
  return listen_at_unix(std::get<UnixAddress>(address), mode);
}

tl::expected<std::vector<ListeningSocket>, StartupError> activated_sockets() {
  std::vector<ListeningSocket> sockets;
  const int count = ::sd_listen_fds(/*unset_environment=*/1);
  if (count < 0) {
    return tl::unexpected(StartupError{
        EX_OSERR, fmt::format("cannot use the sockets from systemd: {}; check LISTEN_FDS",
                              std::generic_category().message(-count))});
  }
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    if (::sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, /*listening=*/1) <= 0) {
      return tl::unexpected(StartupError{
          EX_CONFIG, fmt::format("descriptor {} from systemd is not a listening stream socket; use "
                                 "ListenStream= and Accept=no in the .socket unit",
                                 fd)});
    }
    sockets.emplace_back(UniqueFd{fd});
  }
  return sockets;
}

std::string peer_name(int fd) {
  Address address;
  if (::getpeername(fd, address.get(), &address.size) != 0) {
    return "disconnected";
  }
  return address.storage.ss_family == AF_UNIX ? "unix" : to_text(address);
}

}  // namespace hypeman::httpbridge
