#include "tests/httpbridge/support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

namespace hypeman::httpbridge::testing {
namespace {

template <typename Name>
UniqueFd connected(const Name& name, int family) {
  constexpr timeval patience{10, 0};
  UniqueFd fd{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  return fd;
}

UniqueFd connect_to(const std::string& address) {
  constexpr std::string_view unix_prefix = "unix:";
  if (address.starts_with(unix_prefix)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(static_cast<char*>(name.sun_path), sizeof(name.sun_path) - 1, unix_prefix.size());
    return connected(name, AF_UNIX);
  }
  const std::size_t colon = address.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)));
  if (address.starts_with('[')) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address.substr(1, colon - 2).c_str(), &name.sin6_addr);
    return connected(name, AF_INET6);
  }
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &name.sin_addr);
  return connected(name, AF_INET);
}

std::string lower(std::string_view text) {
  std::string result{text};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

Response parse_head(std::string_view head) {
  Response response;
  const std::string_view status = head.substr(head.find(' ') + 1, 3);
  std::from_chars(status.data(), status.data() + status.size(), response.status);
  for (std::size_t end = head.find("\r\n"); end != std::string_view::npos;
       end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      response.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
  }
  return response;
}

}  // namespace

std::string Response::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string{} : found->second;
}

HttpClient::HttpClient(const std::string& address) : fd_(connect_to(address)) {}

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool HttpClient::receive_more() {
  std::array<char, 65536> chunk{};
  const ssize_t count = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
  if (count > 0) {
    received_.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return count > 0;
}

std::optional<Response> HttpClient::receive(bool to_head) {
  constexpr std::string_view end_of_head = "\r\n\r\n";
  std::size_t head_size = received_.find(end_of_head);
  for (; head_size == std::string::npos; head_size = received_.find(end_of_head)) {
    if (!receive_more()) {
      return std::nullopt;
    }
  }
  Response response = parse_head(std::string_view{received_}.substr(0, head_size));
  received_.erase(0, head_size + end_of_head.size());
  const std::size_t body_size = to_head ? 0 : std::stoul(response.header("content-length"));
  while (received_.size() < body_size) {
    if (!receive_more()) {
      return std::nullopt;
    }
  }
  response.body = received_.substr(0, body_size);
  received_.erase(0, body_size);
  return response;
}

std::optional<Response> HttpClient::request(std::string_view method, std::string_view target,
                                            std::string_view header_lines) {
  send(fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", method, target, header_lines));
  return receive(method == "HEAD");
}

std::optional<Response> HttpClient::get(std::string_view target, std::string_view header_lines) {
  return request("GET", target, header_lines);
}

bool HttpClient::ends() {
  std::array<char, 65536> chunk{};
  ssize_t count = 0;
  do {
    count = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
  } while (count > 0);
  return count == 0 || errno == ECONNRESET;
}

std::optional<Response> get(const std::string& address, std::string_view target,
                            std::string_view header_lines) {
  return HttpClient{address}.get(target, header_lines);
}

}  // namespace hypeman::httpbridge::testing
