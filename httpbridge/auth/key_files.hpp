#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// The files that hold the keys. All of them must be valid.
struct KeyFiles {
  /// The whole file is one secret, without the newline at its end.
  std::vector<std::string> jwt_secret_files = {};
  /// YAML with a top-level `jwt_secret`.
  std::vector<std::string> hypeman_configs = {};
  /// One token per line. Blank lines and lines that start with `#` are ignored.
  std::vector<std::string> token_files = {};

  [[nodiscard]] bool empty() const {
    return jwt_secret_files.empty() && hypeman_configs.empty() && token_files.empty();
  }
};

/// Reads all files. Logs a warning about a file that every user can read. Errors and log lines
/// never contain a part of a key.
[[nodiscard]] tl::expected<Keys, StartupError> load_keys(const KeyFiles& files);

/// The tokens in the text of a token file.
[[nodiscard]] std::vector<std::string> parse_tokens(const std::string& text);

}  // namespace hypeman::httpbridge
