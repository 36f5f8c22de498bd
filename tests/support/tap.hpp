#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace hypeman::tests {

/// A broadcast Ethernet frame. Its ethertype is reserved for experiments, so no network stack
/// answers. `size` includes the header of 14 bytes.
[[nodiscard]] std::vector<std::byte> experimental_frame(std::size_t size);

/// The counters of a TAP from the host's point of view. "rx" counts what the VM has sent.
struct TapCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;

  friend bool operator==(const TapCounters&, const TapCounters&) = default;
};

/// A broadcast frame that every network stack takes and does not answer: an ARP packet of an
/// unknown kind.
[[nodiscard]] std::vector<std::byte> unanswered_arp_frame(std::size_t size);

/// A TAP in the current network namespace. It is up and has no IPv6, so its counters change only if
/// a test sends something. The destructor deletes it.
///
/// The test uses the VM's side of the TAP until it calls `release_to_vmm`.
class Tap {
 public:
  /// Throws if an interface with this name exists.
  explicit Tap(std::string name);
  Tap(Tap&& other) noexcept = default;
  Tap& operator=(Tap&&) = delete;
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Sends a frame from the VM. When this returns, rx_bytes includes it.
  void write_frame(std::span<const std::byte> frame);

  /// Sends a frame from the host to the VM. The kernel adds it to tx_bytes when the VM's side reads
  /// it. This function reads it before it returns. After `release_to_vmm`, the VMM must read it.
  void transmit_from_host(std::span<const std::byte> frame);

  /// Sends frames from the host to the VM, which reads none, until the kernel drops one.
  void overflow_from_host();

  /// Closes the VM's side, so that a VMM can open the TAP by name. The TAP remains.
  void release_to_vmm();

  /// Reads from /sys, which shows the network namespace in which /sys was mounted.
  [[nodiscard]] TapCounters counters() const;
  [[nodiscard]] std::uint64_t counter(const std::string& counter) const;

 private:
  [[nodiscard]] bool send_from_host(std::span<const std::byte> frame);
  void read_back(std::span<const std::byte> frame);

  std::string name_;
  UniqueFd queue_;  ///< the VM's side; closed once released
  UniqueFd host_;   ///< a packet socket; kept open, because closing it takes an RCU period
};

}  // namespace hypeman::tests
