#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace hypeman::httpbridge::testing {

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const;
};

/// A blocking HTTP/1.1 client of its own, which can also say what no good client would. Every wait
/// ends after ten seconds.
class HttpClient {
 public:
  /// `address` as the bridge logs it: `127.0.0.1:1234`, `[::1]:1234` or `unix:/path`. Throws
  /// std::system_error if nobody listens there.
  explicit HttpClient(const std::string& address);

  /// Sends the bytes as they are; false if the peer hung up.
  bool send(std::string_view bytes);

  /// The next response; nothing if the connection ends before one is whole.
  [[nodiscard]] std::optional<Response> receive(bool to_head = false);

  /// Both, with Host and the other headers given as whole lines.
  [[nodiscard]] std::optional<Response> request(std::string_view method, std::string_view target,
                                                std::string_view header_lines = {});
  [[nodiscard]] std::optional<Response> get(std::string_view target,
                                            std::string_view header_lines = {});

  /// Whether the peer has hung up: waits for the end of the connection, drops what comes before.
  [[nodiscard]] bool ends();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] bool receive_more();

  UniqueFd fd_;
  std::string received_;
};

/// One request on a connection of its own.
[[nodiscard]] std::optional<Response> get(const std::string& address, std::string_view target,
                                          std::string_view header_lines = {});

}  // namespace hypeman::httpbridge::testing
