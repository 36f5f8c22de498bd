#include "httpbridge/auth/key_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <sstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>
#include <yaml-cpp/yaml.h>

#include "base/file.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::httpbridge {
namespace {

constexpr std::size_t max_key_file_bytes = std::size_t{1} << 20;
constexpr std::string_view white_space = " \t\r\n";

tl::unexpected<StartupError> unreadable(const std::string& path, int error) {
  return tl::unexpected(
      StartupError{error == EACCES ? EX_NOPERM : EX_NOINPUT,
                   fmt::format("cannot read key file {}: {}; name a file that this user can read",
                               path, std::generic_category().message(error))});
}

tl::unexpected<StartupError> unusable(const std::string& path, std::string_view why) {
  return tl::unexpected(StartupError{EX_CONFIG, fmt::format("key file {}: {}", path, why)});
}

tl::expected<std::string, StartupError> read_key_file(const std::string& path) {
  // O_NONBLOCK: a FIFO in a file's place must not stop the program.
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return unreadable(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return unusable(path, "not a regular file; name a file that holds a key");
  }
  if ((status.st_mode & S_IROTH) != 0) {
    spdlog::warn("key file {} can be read by every user; chmod o-r it", path);
  }
  auto text = read_whole(fd.get(), max_key_file_bytes);
  if (text) {
    return *std::move(text);
  }
  if (text.error() == std::errc::file_too_large) {
    return unusable(path, "larger than 1 MiB; name a file that holds a key");
  }
  return unreadable(path, text.error().value());
}

tl::expected<std::string, StartupError> read_secret(const std::string& path) {
  auto text = read_key_file(path);
  if (!text) {
    return text;
  }
  // Editors and `echo` end a file with a newline that is no part of the secret.
  const std::size_t end = text->find_last_not_of("\r\n");
  text->resize(end == std::string::npos ? 0 : end + 1);
  if (text->empty()) {
    return unusable(path, "holds no secret; write Hypeman's jwt_secret to it");
  }
  return text;
}

tl::expected<std::string, StartupError> read_secret_of_hypeman(const std::string& path) {
  auto text = read_key_file(path);
  if (!text) {
    return text;
  }
  try {
    const YAML::Node config = YAML::Load(*text);
    const YAML::Node secret = config.IsMap() ? config["jwt_secret"] : YAML::Node{};
    if (secret && secret.IsScalar() && !secret.Scalar().empty()) {
      return secret.Scalar();
    }
  } catch (const YAML::Exception& error) {
    // The position only: the message could quote the line, and the line could be the secret.
    return unusable(path, fmt::format("not valid YAML at line {}; name Hypeman's config.yaml",
                                      error.mark.line + 1));
  }
  return unusable(path, "has no jwt_secret; name the config.yaml that Hypeman runs with");
}

}  // namespace

std::vector<std::string> parse_tokens(const std::string& text) {
  std::vector<std::string> tokens;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(white_space);
    if (begin == std::string::npos || line[begin] == '#') {
      continue;
    }
    tokens.push_back(line.substr(begin, line.find_last_not_of(white_space) - begin + 1));
  }
  return tokens;
}

tl::expected<Keys, StartupError> load_keys(const KeyFiles& files) {
  Keys keys;
  for (const std::string& path : files.jwt_secret_files) {
    auto secret = read_secret(path);
    if (!secret) {
      return tl::unexpected(std::move(secret).error());
    }
    keys.jwt_secrets.push_back(*std::move(secret));
  }
  for (const std::string& path : files.hypeman_configs) {
    auto secret = read_secret_of_hypeman(path);
    if (!secret) {
      return tl::unexpected(std::move(secret).error());
    }
    keys.jwt_secrets.push_back(*std::move(secret));
  }
  for (const std::string& path : files.token_files) {
    const auto text = read_key_file(path);
    if (!text) {
      return tl::unexpected(text.error());
    }
    std::vector<std::string> tokens = parse_tokens(*text);
    if (tokens.empty()) {
      return unusable(path, "holds no token; write one a line");
    }
    std::move(tokens.begin(), tokens.end(), std::back_inserter(keys.plain_tokens));
  }
  return keys;
}

}  // namespace hypeman::httpbridge
