#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"

namespace hypeman::tests {

/// What a guest's own network card has counted: rx is what the guest received.
struct GuestCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;

  friend bool operator==(const GuestCounters&, const GuestCounters&) = default;
};

/// The small guest, built if it is not there yet. Returns the directory for VirtualMachine.
[[nodiscard]] std::filesystem::path guest_image();

/// A real VM: QEMU called as Hypeman calls it, with the guest of scripts/guest-image, which sends
/// nothing unless it is told to. Killed when its owner goes.
class VirtualMachine {
 public:
  /// Boots, and returns when the guest listens on its console. Throws if it never does.
  /// `instance_directory` gets the monitor socket and the console's pipes; `tap` has been released.
  VirtualMachine(const std::filesystem::path& image,
                 const std::filesystem::path& instance_directory, const std::string& tap);

  [[nodiscard]] pid_t pid() const { return qemu_.pid(); }

  /// The guest sends so many ARP frames, and they have left the guest when this returns.
  void send_frames(unsigned count);
  static constexpr std::uint64_t frame_size = 42;

  [[nodiscard]] GuestCounters counters();

  /// Keeps the guest's one processor busy for so long.
  void burn(std::chrono::seconds duration);

  /// Ends as a guest ends that shuts itself down.
  void power_off();

 private:
  std::string ask(const std::string& command);
  std::string read_console_line(std::chrono::steady_clock::time_point deadline);
  void wait_until_ready();

  UniqueFd console_in_;
  UniqueFd console_out_;
  std::string unread_;
  ChildProcess qemu_;
};

}  // namespace hypeman::tests
