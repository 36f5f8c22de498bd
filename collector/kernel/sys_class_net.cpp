#include "collector/kernel/sys_class_net.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

/// In the order of InterfaceCounter.
constexpr std::array<const char*, interface_counters> file_names{
    "rx_bytes",  "tx_bytes",  "rx_packets", "tx_packets",
    "rx_errors", "tx_errors", "rx_dropped", "tx_dropped"};

/// If an interface is gone, its directory is empty or does not exist, and reads of its files fail
/// with EINVAL while the kernel deletes it.
std::error_code as_gone(std::error_code error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::invalid_argument
             ? std::make_error_code(std::errc::no_such_device)
             : error;
}

}  // namespace

Result<std::uint64_t> parse_interface_counter(std::string_view text) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  const auto value = parse_decimal<std::uint64_t>(text);
  if (!value) {
    return failure(EBADMSG);
  }
  return *value;
}

Result<std::shared_ptr<const NetworkInterface>> NetworkInterface::open(int sys,
                                                                       std::string_view name) {
  std::string path{"class/net/"};
  path.append(name).append("/statistics");
  return open_directory_at(sys, path.c_str()).map_error(as_gone).map([](UniqueFd&& statistics) {
    return std::make_shared<const NetworkInterface>(std::move(statistics));
  });
}

Result<std::uint64_t> NetworkInterface::read(InterfaceCounter counter) const {
  const auto index = static_cast<std::size_t>(counter);
  std::array<char, 64> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return files_.at(index)
      .open(statistics_.get(), file_names.at(index))
      .and_then([&](int fd) { return read_snapshot(fd, buffer); })
      .map_error(as_gone)
      .and_then(parse_interface_counter);
}

std::size_t NetworkInterface::descriptors() const {
  return 1 + static_cast<std::size_t>(std::ranges::count_if(files_, &PinnedFile::is_open));
}

}  // namespace hypeman::collector
