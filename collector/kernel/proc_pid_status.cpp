#include "collector/kernel/proc_pid_status.hpp"

#include <array>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {

Result<ProcPidStatus> parse_proc_pid_status(std::string_view text) {
  // The process chooses its name, which the first line shows. The kernel escapes newlines in it.
  constexpr std::string_view label{"\nUid:\t"};
  const auto at = text.find(label);
  if (at == std::string_view::npos) {
    return failure(EBADMSG);
  }
  const auto users = text.substr(at + label.size());
  const auto real_end = users.find('\t');
  if (real_end == std::string_view::npos) {
    return failure(EBADMSG);
  }
  const auto effective_end = users.find('\t', real_end + 1);
  const auto real = parse_decimal<uid_t>(users.substr(0, real_end));
  const auto effective =
      parse_decimal<uid_t>(users.substr(real_end + 1, effective_end - real_end - 1));
  if (effective_end == std::string_view::npos || !real || !effective) {
    return failure(EBADMSG);
  }
  return ProcPidStatus{.real_user = *real, .effective_user = *effective};
}

Result<ProcPidStatus> read_proc_pid_status(int fd) {
  // The lines before "Uid:" have less than 300 bytes. The rest of the file can be very long.
  std::array<char, 512> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_at(fd, buffer, 0).and_then(parse_proc_pid_status);
}

}  // namespace hypeman::collector
