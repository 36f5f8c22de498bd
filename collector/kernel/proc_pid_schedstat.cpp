#include "collector/kernel/proc_pid_schedstat.hpp"

#include <array>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {

Result<ProcPidSchedstat> parse_proc_pid_schedstat(std::string_view text) {
  const auto run_end = text.find(' ');
  const auto wait_end =
      run_end == std::string_view::npos ? std::string_view::npos : text.find(' ', run_end + 1);
  if (wait_end == std::string_view::npos || !text.ends_with('\n')) {
    return failure(EBADMSG);
  }
  const auto run = parse_decimal<std::uint64_t>(text.substr(0, run_end));
  const auto wait = parse_decimal<std::uint64_t>(text.substr(run_end + 1, wait_end - run_end - 1));
  const auto slices =
      parse_decimal<std::uint64_t>(text.substr(wait_end + 1, text.size() - wait_end - 2));
  if (!run || !wait || !slices) {
    return failure(EBADMSG);
  }
  // Every thread has run at least once, so zeros mean that the kernel does not count.
  if (*run == 0 && *wait == 0 && *slices == 0) {
    return failure(ENODATA);
  }
  return ProcPidSchedstat{.run_nanoseconds = *run, .wait_nanoseconds = *wait};
}

Result<ProcPidSchedstat> read_proc_pid_schedstat(int fd) {
  std::array<char, 128> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_snapshot(fd, buffer).and_then(parse_proc_pid_schedstat);
}

}  // namespace hypeman::collector
