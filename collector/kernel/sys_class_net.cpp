#include "collector/kernel/sys_class_net.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

Result<UniqueFd> open_counter(int sys, std::string_view interface, std::string_view counter) {
  std::string path{"class/net/"};
  path.append(interface).append("/statistics/").append(counter);
  auto fd = open_kernel_file(sys, path.c_str());
  if (!fd && fd.error() == std::errc::no_such_file_or_directory) {
    return failure(ENODEV);
  }
  return fd;
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

Result<NetworkInterface> NetworkInterface::open(int sys, std::string_view name) {
  auto rx_bytes = open_counter(sys, name, "rx_bytes");
  if (!rx_bytes) {
    return tl::unexpected{rx_bytes.error()};
  }
  auto tx_bytes = open_counter(sys, name, "tx_bytes");
  if (!tx_bytes) {
    return tl::unexpected{tx_bytes.error()};
  }
  return NetworkInterface{*std::move(rx_bytes), *std::move(tx_bytes)};
}

Result<std::uint64_t> NetworkInterface::read(int fd) {
  std::array<char, 64> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  const auto text = read_snapshot(fd, buffer);
  if (!text && text.error() == std::errc::invalid_argument) {
    return failure(ENODEV);  // the kernel is deleting the interface
  }
  return text.and_then(parse_interface_counter);
}

}  // namespace hypeman::collector
