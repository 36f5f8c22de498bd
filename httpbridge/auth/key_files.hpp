#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "httpbridge/auth/authorizer.hpp"
#include "httpbridge/startup_error.hpp"

namespace hypeman::httpbridge {

/// Where the keys come from. Every file that is named must be good.
struct KeyFiles {
  std::vector<std::string> jwt_secret_files =
      {};  ///< the whole file is a secret, its last newline not
  std::vector<std::string> hypeman_configs = {};  ///< YAML with a top-level `jwt_secret`
  std::vector<std::string> token_files = {};  ///< one token a line; blank lines and `#` comments

  [[nodiscard]] bool empty() const {
    return jwt_secret_files.empty() && hypeman_configs.empty() && token_files.empty();
  }
};

/// Reads all files anew; warns about those that others may read. Neither errors nor log lines hold
/// any part of a key.
[[nodiscard]] tl::expected<Keys, StartupError> load_keys(const KeyFiles& files);

/// The tokens in the text of a token file.
[[nodiscard]] std::vector<std::string> parse_tokens(const std::string& text);

}  // namespace hypeman::httpbridge
