#include "fs/ring/cpus.hpp"

#include <array>
#include <cerrno>
#include <span>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::fs {
namespace {

Result<unsigned> read_count(int directory, const char* name) {
  return open_kernel_file(directory, name).and_then([](const UniqueFd& file) {
    std::array<char, 4096> buffer{};
    return read_snapshot(file.get(), buffer).and_then(count_cpus);
  });
}

}  // namespace

Result<Cpus> read_cpus() {
  const auto directory = open_directory("/sys/devices/system/cpu");
  if (!directory) {
    return tl::unexpected{directory.error()};
  }
  const auto possible = read_count(directory->get(), "possible");
  if (!possible) {
    return tl::unexpected{possible.error()};
  }
  const auto present = read_count(directory->get(), "present");
  if (!present) {
    return tl::unexpected{present.error()};
  }
  return Cpus{.possible = *possible, .present = *present};
}

Result<unsigned> count_cpus(std::string_view list) {
  constexpr unsigned most = 1U << 20U;
  if (list.ends_with('\n')) {
    list.remove_suffix(1);
  }
  unsigned count = 0;
  while (!list.empty()) {
    const auto range = list.substr(0, list.find(','));
    list.remove_prefix(range.size() == list.size() ? range.size() : range.size() + 1);
    const auto dash = range.find('-');
    const auto first = parse_decimal<unsigned>(range.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_decimal<unsigned>(range.substr(dash + 1));
    if (!first || !last || *last < *first || *last >= most) {
      return failure(EINVAL);
    }
    count += *last - *first + 1;
  }
  return count == 0 ? Result<unsigned>{failure(EINVAL)} : count;
}

}  // namespace hypeman::fs
