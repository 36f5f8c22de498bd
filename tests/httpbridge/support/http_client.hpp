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

/// A blocking HTTP/1.1 client that can also send invalid requests. Every wait ends after ten
/// seconds.
class HttpClient {
 public:
  /// `address` has the format of the bridge's log: `127.0.0.1:1234`, `[::1]:1234` or `unix:/path`.
  /// Throws std::system_error if no process listens there.
  explicit HttpClient(const std::string& address);

  /// Sends the bytes unchanged. Returns false if the server has closed the connection.
  bool send(std::string_view bytes);

  /// The next response, or nothing if the connection ends before a complete one.
  [[nodiscard]] std::optional<Response> receive(bool to_head = false);

  /// Sends a request and receives its response. Adds Host; `headers` are complete lines.
  [[nodiscard]] std::optional<Response> request(std::string_view method, std::string_view target,
                                                std::string_view header_lines = {});
  [[nodiscard]] std::optional<Response> get(std::string_view target,
                                            std::string_view header_lines = {});

  /// Whether the server closes the connection. Waits for it and discards all input.
  [[nodiscard]] bool ends();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] bool receive_more();

  UniqueFd fd_;
  std::string received_;
};

/// One request on a new connection.
[[nodiscard]] std::optional<Response> get(const std::string& address, std::string_view target,
                                          std::string_view header_lines = {});

}  // namespace hypeman::httpbridge::testing
