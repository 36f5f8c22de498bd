#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

/// An Ethernet frame to everybody, of an ethertype that is reserved for experiments, so that no
/// network stack answers it. `size` counts all its bytes, the 14 of the header too.
[[nodiscard]] std::vector<std::byte> experimental_frame(std::size_t size);

/// A TAP's counters as the host sees them: "rx" is what the VM sent.
struct TapCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;

  friend bool operator==(const TapCounters&, const TapCounters&) = default;
};

/// A TAP in the current network namespace, set up and without IPv6, so that its counters move only
/// by what a test sends. It is deleted when its owner goes.
///
/// First the test itself plays the VM behind the TAP. `release_to_vmm` gives that part away.
class Tap {
 public:
  /// Throws if an interface of that name exists.
  explicit Tap(std::string name);
  Tap(Tap&& other) noexcept = default;
  Tap& operator=(Tap&&) = delete;
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  [[nodiscard]] const std::string& name() const { return name_; }

  /// What the VM sends: counted in rx_bytes when this returns.
  void write_frame(std::span<const std::byte> frame);

  /// What the host sends to the VM. The kernel counts it in tx_bytes when the VM's side has read
  /// it: here that is done before this returns; after `release_to_vmm` it is up to the VMM.
  void transmit_from_host(std::span<const std::byte> frame);

  /// Frees the VM's side for a VMM to open the TAP by name. The TAP stays.
  void release_to_vmm();

  /// Read from /sys, which shows the network namespace that was current when /sys was mounted.
  [[nodiscard]] TapCounters counters() const;

 private:
  void read_back(std::span<const std::byte> frame);

  std::string name_;
  UniqueFd queue_;  ///< the VM's side; closed once released
  UniqueFd host_;   ///< a packet socket; kept open, since closing one waits for an RCU period
};

}  // namespace hypeman::tests
