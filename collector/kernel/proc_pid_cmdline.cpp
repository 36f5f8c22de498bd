#include "collector/kernel/proc_pid_cmdline.hpp"

#include <linux/limits.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.hpp"
#include "base/instance_names.hpp"

namespace hypeman::collector {
namespace {

/// An absolute path and the characters before and after it.
constexpr std::size_t longest_match = PATH_MAX + 2;

/// <instance ID>/<name>.sock of another VM and the character after it.
constexpr std::size_t longest_file = 2 * (NAME_MAX + 1);

}  // namespace

SocketSearch::SocketSearch(std::string socket_path)
    : path_{std::move(socket_path)}, directory_{path_} {
  const auto id_end = path_.rfind('/');
  const auto id_begin = id_end == 0 ? 0 : path_.rfind('/', id_end - 1) + 1;
  if (const auto id = path_.substr(id_begin, id_end - id_begin); is_instance_id(id)) {
    id_ = id;
    directory_ = path_.substr(0, id_begin);
  }
}

bool SocketSearch::is_possible(std::string_view socket_path) {
  return socket_path.starts_with('/') && socket_path.size() < PATH_MAX &&
         socket_path.find('\0') == std::string_view::npos;
}

Result<NamedSocket> SocketSearch::read_proc_pid_cmdline(int fd) const {
  // A NUL before and after the text, so that each argument is between two of them.
  std::array<char, 4 * longest_match> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  buffer.front() = '\0';
  std::size_t used = 1;
  auto found = NamedSocket::none;
  for (std::size_t offset = 0;;) {
    const auto more = read_at(fd, std::span{buffer}.subspan(used), offset);
    if (!more) {
      return tl::unexpected{more.error()};
    }
    const bool is_end = more->empty();
    if (is_end) {
      buffer.at(used) = '\0';
    }
    offset += more->size();
    used += is_end ? 1 : more->size();
    found = std::max(found, search({buffer.data(), used}));
    if (is_end || found == NamedSocket::of_this_vm) {
      return found;
    }
    if (offset > max_command_line_bytes) {
      return failure(EFBIG);
    }
    // A match may continue in the next piece.
    const auto kept = std::min(used, longest_match);
    std::copy(buffer.begin() + used - kept, buffer.begin() + used, buffer.begin());
    used = kept;
  }
}

NamedSocket SocketSearch::search(std::string_view text) const {
  auto found = NamedSocket::none;
  for (auto at = text.find(directory_, 1); at != std::string_view::npos;
       at = text.find(directory_, at + 1)) {
    const auto before = text[at - 1];
    const auto rest = text.substr(at, longest_match);
    if (before != '\0' && before != '=') {
      continue;
    }
    constexpr std::string_view ends{"\0,", 2};
    if (rest.starts_with(path_) && rest.size() > path_.size() &&
        ends.find(rest[path_.size()]) != std::string_view::npos) {
      return NamedSocket::of_this_vm;
    }
    if (const auto end = rest.substr(0, directory_.size() + longest_file).find_first_of(ends);
        end != std::string_view::npos && is_socket_of_another_vm(rest.substr(0, end))) {
      found = NamedSocket::of_another_vm;
    }
  }
  return found;
}

/// `path` begins with directory_.
bool SocketSearch::is_socket_of_another_vm(std::string_view path) const {
  if (id_.empty()) {
    return false;
  }
  const auto rest = path.substr(directory_.size());
  const auto id = rest.substr(0, rest.find('/'));
  return id != id_ && is_instance_id(id) &&
         rest.find('/', id.size() + 1) == std::string_view::npos && rest.ends_with(".sock");
}

}  // namespace hypeman::collector
