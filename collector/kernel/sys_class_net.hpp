#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "collector/kernel/pinned_file.hpp"

namespace hypeman::collector {

/// The files of /sys/class/net/<interface>/statistics that this program uses, from the host's point
/// of view: "rx" is what the host has received.
enum class InterfaceCounter : std::uint8_t {
  rx_bytes,
  tx_bytes,
  rx_packets,
  tx_packets,
  rx_errors,
  tx_errors,
  rx_dropped,
  tx_dropped,
};
inline constexpr std::array all_interface_counters{
    InterfaceCounter::rx_bytes,   InterfaceCounter::tx_bytes,   InterfaceCounter::rx_packets,
    InterfaceCounter::tx_packets, InterfaceCounter::rx_errors,  InterfaceCounter::tx_errors,
    InterfaceCounter::rx_dropped, InterfaceCounter::tx_dropped,
};
inline constexpr std::size_t interface_counters = all_interface_counters.size();

/// One decimal number and a newline. EBADMSG: the text is anything else.
[[nodiscard]] Result<std::uint64_t> parse_interface_counter(std::string_view text);

/// The counters of one network interface. Their files are opened when they are needed and stay
/// open. An open file never shows another interface, even if the name is used again. Thread-safe.
class NetworkInterface {
 public:
  /// `sys` is a descriptor of /sys. ENODEV: there is no such interface.
  [[nodiscard]] static Result<std::shared_ptr<const NetworkInterface>> open(int sys,
                                                                            std::string_view name);

  /// `statistics` is /sys/class/net/<interface>/statistics.
  explicit NetworkInterface(UniqueFd statistics) : statistics_{std::move(statistics)} {}

  /// ENODEV: the interface is gone.
  [[nodiscard]] Result<std::uint64_t> read(InterfaceCounter counter) const;

  /// How many files are open.
  [[nodiscard]] std::size_t descriptors() const;

 private:
  const UniqueFd statistics_;
  std::array<PinnedFile, interface_counters> files_;
};

}  // namespace hypeman::collector
