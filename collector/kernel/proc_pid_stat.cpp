#include "collector/kernel/proc_pid_stat.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

/// The fields of a line, from left to right. Each field ends with a blank or a newline.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_{line} {}

  /// Empty if there is no further field.
  std::string_view next() {
    // Several times faster than find_first_of().
    const auto* const end = std::ranges::find_if(
        rest_, [](char character) { return character == ' ' || character == '\n'; });
    if (end == rest_.end() || end == rest_.begin()) {
      rest_ = {};
      return {};
    }
    const std::string_view field{rest_.begin(), end};
    rest_ = {end + 1, rest_.end()};
    return field;
  }

  void skip(int count) {
    for (; count > 0; --count) {
      next();
    }
  }

 private:
  std::string_view rest_;
};

/// The text from the last ')' on; empty if there is none. The process chooses its command name [2],
/// which may hold blanks, newlines and parentheses. No later field holds a ')'.
std::string_view from_command_end(std::string_view text) {
  const auto* const end = static_cast<const char*>(::memrchr(text.data(), ')', text.size()));
  return end == nullptr ? std::string_view{} : std::string_view{end, std::to_address(text.end())};
}

}  // namespace

std::string_view command_name(std::string_view stat) {
  const auto begin = stat.find('(');
  const auto end = stat.size() - from_command_end(stat).size();
  return begin == std::string_view::npos || end < begin ? std::string_view{}
                                                        : stat.substr(begin + 1, end - begin - 1);
}

Result<ProcPidStat> parse_proc_pid_stat(std::string_view text) {
  const auto rest = from_command_end(text);
  if (!rest.starts_with(") ")) {
    return failure(EBADMSG);
  }
  Fields fields{rest.substr(2)};
  const auto state = fields.next();  // [3]
  fields.skip(8);
  const auto major_faults = parse_decimal<std::uint64_t>(fields.next());  // [12]
  fields.skip(1);
  const auto user = parse_decimal<std::uint64_t>(fields.next());    // [14]
  const auto system = parse_decimal<std::uint64_t>(fields.next());  // [15]
  fields.skip(6);
  const auto start = parse_decimal<std::uint64_t>(fields.next());  // [22]
  fields.skip(20);
  const auto guest = parse_decimal<std::uint64_t>(fields.next());  // [43]
  if (state.size() != 1 || !major_faults || !user || !system || !start || !guest) {
    return failure(EBADMSG);
  }
  return ProcPidStat{.state = state.front(),
                     .major_faults = *major_faults,
                     .user_ticks = *user,
                     .system_ticks = *system,
                     .start_time_ticks = *start,
                     .guest_ticks = *guest};
}

Result<ProcPidStat> read_proc_pid_stat(int fd) {
  // 52 numbers of at most 20 digits and a command name of at most 64 bytes.
  std::array<char, 2048> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_snapshot(fd, buffer).and_then(parse_proc_pid_stat);
}

}  // namespace hypeman::collector
