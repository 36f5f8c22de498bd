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
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

tl::unexpected<StartupError> unreadable(const std::string& path, int error) {
  return tl::unexpected(
      StartupError{error == EACCES ? EX_NOPERM : EX_NOINPUT,
                   fmt::format("cannot read key file {}: {}; give a file that this user can read",
                               path, std::generic_category().message(error))});
}

tl::unexpected<StartupError> invalid(const std::string& path, std::string_view why) {
  return tl::unexpected(StartupError{EX_CONFIG, fmt::format("key file {}: {}", path, why)});
}

tl::expected<std::string, StartupError> read_key_file(const std::string& path) {
  // O_NONBLOCK: open(2) must not block if the path is a FIFO.
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return unreadable(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return invalid(path, "it is not a regular file; give a file that contains a key");
  }
  if ((status.st_mode & S_IROTH) != 0) {
    spdlog::warn("key file {} is readable by every user; run chmod o-r on it", path);
  }
  const auto text = read_whole(fd.get(), max_key_file_bytes);
  if (text) {
    // Some editors write a byte order mark at the start of a file.
    return text->starts_with(byte_order_mark) ? text->substr(byte_order_mark.size()) : *text;
  }
  if (text.error() == std::errc::file_too_large) {
    return invalid(path, "it is larger than 1 MiB; give a file that contains a key");
  }
  return unreadable(path, text.error().value());
}

tl::expected<std::string, StartupError> read_secret(const std::string& path) {
  auto text = read_key_file(path);
  if (!text) {
    return text;
  }
  // Editors and `echo` append a newline, which is not a part of the secret.
  const std::size_t end = text->find_last_not_of("\r\n");
  text->resize(end == std::string::npos ? 0 : end + 1);
  if (text->empty()) {
    return invalid(path, "it contains no secret; write Hypeman's jwt_secret to it");
  }
  return text;
}

tl::expected<std::string, StartupError> read_hypeman_secret(const std::string& path) {
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
    // Only the position: the exception's text could quote a line that contains the secret.
    return invalid(path, fmt::format("line {} is not valid YAML; give Hypeman's config.yaml",
                                     error.mark.line + 1));
  }
  return invalid(path, "it has no jwt_secret; give the config.yaml that Hypeman uses");
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
    auto secret = read_hypeman_secret(path);
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
      return invalid(path, "it contains no token; write one token per line");
    }
    std::move(tokens.begin(), tokens.end(), std::back_inserter(keys.plain_tokens));
  }
  return keys;
}

}  // namespace hypeman::httpbridge
