#include "collector/kernel/tap.hpp"

#include <cctype>
#include <cstddef>

#include "base/file.hpp"
#include "collector/kernel/net_statistics.hpp"

namespace hypeman::collector {
namespace {

Result<UniqueFd> open_statistic(int sys, std::string_view interface, std::string_view counter) {
  std::string path{"class/net/"};
  path.append(interface).append("/statistics/").append(counter);
  auto fd = open_kernel_file(sys, path.c_str());
  if (!fd && fd.error() == std::errc::no_such_file_or_directory) {
    return failure(ENODEV);
  }
  return fd;
}

}  // namespace

std::string tap_name(std::string_view instance_id) {
  constexpr std::size_t id_characters = 8;
  std::string name{"hype-"};
  for (const auto character : instance_id.substr(0, id_characters)) {
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  }
  return name;
}

Result<Tap> Tap::pin(int sys, std::string_view name) {
  auto host_tx_bytes = open_statistic(sys, name, "tx_bytes");
  if (!host_tx_bytes) {
    return tl::unexpected{host_tx_bytes.error()};
  }
  auto host_rx_bytes = open_statistic(sys, name, "rx_bytes");
  if (!host_rx_bytes) {
    return tl::unexpected{host_rx_bytes.error()};
  }
  return Tap{*std::move(host_tx_bytes), *std::move(host_rx_bytes)};
}

Result<NetworkTraffic> Tap::read() const {
  const auto host_tx_bytes = read_net_statistic(host_tx_bytes_.get());
  if (!host_tx_bytes) {
    return tl::unexpected{host_tx_bytes.error()};
  }
  const auto host_rx_bytes = read_net_statistic(host_rx_bytes_.get());
  if (!host_rx_bytes) {
    return tl::unexpected{host_rx_bytes.error()};
  }
  return NetworkTraffic{.rx_bytes = *host_tx_bytes, .tx_bytes = *host_rx_bytes};
}

}  // namespace hypeman::collector
