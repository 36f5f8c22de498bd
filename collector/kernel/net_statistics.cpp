#include "collector/kernel/net_statistics.hpp"

#include <array>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {

Result<std::uint64_t> parse_net_statistic(std::string_view text) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  const auto value = parse_decimal<std::uint64_t>(text);
  if (!value) {
    return failure(EBADMSG);
  }
  return *value;
}

Result<std::uint64_t> read_net_statistic(int fd) {
  std::array<char, 64> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_snapshot(fd, buffer).and_then(parse_net_statistic);
}

}  // namespace hypeman::collector
