#include "collector/proc_pid_stat.hpp"

#include <array>
#include <cstddef>

#include "collector/decimal.hpp"
#include "collector/file.hpp"

namespace hypeman::collector {

Result<ProcPidStat> parse_proc_pid_stat(std::string_view text) {
  // The command name [2] is the process's own choice and may hold blanks, newlines and
  // parentheses; no later field holds a ')'.
  const auto command_end = text.rfind(')');
  if (command_end == std::string_view::npos || !text.substr(command_end).starts_with(") ")) {
    return failure(EBADMSG);
  }
  auto rest = text.substr(command_end + 2);

  constexpr std::size_t first = 3;
  constexpr std::size_t last = 22;
  std::array<std::string_view, last + 1> fields;
  for (std::size_t number = first; number <= last; ++number) {
    const auto end = rest.find_first_of(" \n");
    if (end == std::string_view::npos || end == 0) {
      return failure(EBADMSG);
    }
    fields.at(number) = rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }

  const auto user = parse_decimal<std::uint64_t>(fields[14]);
  const auto system = parse_decimal<std::uint64_t>(fields[15]);
  const auto start = parse_decimal<std::uint64_t>(fields[22]);
  if (fields[3].size() != 1 || !user || !system || !start) {
    return failure(EBADMSG);
  }
  return ProcPidStat{.state = fields[3].front(),
                     .user_ticks = *user,
                     .system_ticks = *system,
                     .start_time_ticks = *start};
}

Result<ProcPidStat> read_proc_pid_stat(int fd) {
  // 52 numbers of at most 20 digits and a command name of at most 64 bytes.
  std::array<char, 2048> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_snapshot(fd, buffer).and_then(parse_proc_pid_stat);
}

}  // namespace hypeman::collector
