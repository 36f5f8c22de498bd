#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::collector {

/// A counter of /sys/class/net/<interface>/statistics: one decimal number and a newline.
/// EBADMSG: the text is anything else.
[[nodiscard]] Result<std::uint64_t> parse_interface_counter(std::string_view text);

/// The open files of /sys/class/net/<name>/statistics of one network interface. An open file never
/// shows another interface, even if the name is used again. Thread-safe.
class NetworkInterface {
 public:
  /// `sys` is a descriptor of /sys. ENODEV: there is no such interface.
  [[nodiscard]] static Result<NetworkInterface> open(int sys, std::string_view name);

  /// Bytes that the host has received from the interface. ENODEV: the interface is gone.
  [[nodiscard]] Result<std::uint64_t> read_rx_bytes() const { return read(rx_bytes_.get()); }

  /// Bytes that the host has sent into the interface. ENODEV: the interface is gone.
  [[nodiscard]] Result<std::uint64_t> read_tx_bytes() const { return read(tx_bytes_.get()); }

 private:
  NetworkInterface(UniqueFd rx_bytes, UniqueFd tx_bytes)
      : rx_bytes_{std::move(rx_bytes)}, tx_bytes_{std::move(tx_bytes)} {}

  [[nodiscard]] static Result<std::uint64_t> read(int fd);

  UniqueFd rx_bytes_;
  UniqueFd tx_bytes_;
};

}  // namespace hypeman::collector
