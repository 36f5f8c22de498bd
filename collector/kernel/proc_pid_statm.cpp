#include "collector/kernel/proc_pid_statm.hpp"

#include <array>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {

Result<ProcPidStatm> parse_proc_pid_statm(std::string_view text) {
  const auto size_end = text.find(' ');
  if (size_end == std::string_view::npos) {
    return failure(EBADMSG);
  }
  const auto resident_end = text.find_first_of(" \n", size_end + 1);
  const auto size = parse_decimal<std::uint64_t>(text.substr(0, size_end));
  const auto resident =
      parse_decimal<std::uint64_t>(text.substr(size_end + 1, resident_end - size_end - 1));
  if (resident_end == std::string_view::npos || !size || !resident) {
    return failure(EBADMSG);
  }
  return ProcPidStatm{.size_pages = *size, .resident_pages = *resident};
}

Result<ProcPidStatm> read_proc_pid_statm(int fd) {
  std::array<char, 256> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  auto statm = read_snapshot(fd, buffer).and_then(parse_proc_pid_statm);
  if (statm && statm->size_pages == 0) {
    return failure(ESRCH);
  }
  return statm;
}

}  // namespace hypeman::collector
