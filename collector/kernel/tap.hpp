#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::collector {

/// Bytes since the TAP was made, from the VM's side of it.
struct NetworkTraffic {
  std::uint64_t rx_bytes = 0;  ///< received by the VM: the TAP's tx_bytes
  std::uint64_t tx_bytes = 0;  ///< sent by the VM: the TAP's rx_bytes
};

/// The name that Hypeman gives the TAP of an instance.
[[nodiscard]] std::string tap_name(std::string_view instance_id);

/// One TAP interface through pinned descriptors, which never turn into those of another
/// interface. Thread-safe.
class Tap {
 public:
  /// `sys` is a descriptor of /sys. ENODEV if there is no such interface.
  [[nodiscard]] static Result<Tap> pin(int sys, std::string_view name);

  /// From /sys/class/net/<name>/statistics/{tx,rx}_bytes. ENODEV once the interface is gone.
  [[nodiscard]] Result<NetworkTraffic> read() const;

 private:
  Tap(UniqueFd host_tx_bytes, UniqueFd host_rx_bytes)
      : host_tx_bytes_{std::move(host_tx_bytes)}, host_rx_bytes_{std::move(host_rx_bytes)} {}

  UniqueFd host_tx_bytes_;
  UniqueFd host_rx_bytes_;
};

}  // namespace hypeman::collector
