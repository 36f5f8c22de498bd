#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"

namespace hypeman::tests {

/// The counters of the guest's network card. rx counts what the guest has received.
struct GuestCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t rx_dropped = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_errors = 0;
  std::uint64_t tx_dropped = 0;

  friend bool operator==(const GuestCounters&, const GuestCounters&) = default;
};

/// The directory for VirtualMachine with the small guest. scripts/install-dependencies has made it.
[[nodiscard]] std::filesystem::path guest_image();

/// Whether QEMU gives its threads names, such as "CPU 0/KVM".
enum class ThreadNames : bool { off, on };

/// A real VM: QEMU with the same arguments as in Hypeman, and the guest of scripts/guest-image. The
/// guest sends nothing without a command. The destructor kills the VM.
class VirtualMachine {
 public:
  /// Boots the guest. Returns when the guest reads from its console, and throws if it never does.
  /// Creates the monitor socket and the pipes of the console in `instance_directory`. `tap` must be
  /// released.
  VirtualMachine(const std::filesystem::path& image,
                 const std::filesystem::path& instance_directory, const std::string& tap,
                 ThreadNames names = ThreadNames::off);

  [[nodiscard]] pid_t pid() const { return qemu_.pid(); }

  /// The guest sends `count` ARP frames. Returns when they have left the guest.
  void send_frames(unsigned count);
  static constexpr std::uint64_t frame_size = 42;

  [[nodiscard]] GuestCounters counters();

  /// Keeps the guest's only processor busy for this time.
  void burn(std::chrono::seconds duration);

  /// Shuts down the guest from inside.
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
