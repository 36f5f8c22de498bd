#include "tests/support/virtual_machine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/support/errors.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// A boot takes 4 s with KVM. Without KVM on a busy small machine, it takes many times longer.
constexpr seconds boot_timeout{180};
constexpr seconds answer_timeout{60};
constexpr seconds power_off_timeout{60};

std::string script(const char* name) {
  return std::string(paths::source_root).append("/scripts/").append(name);
}

/// Open for reading and writing, so that open and write do not block without QEMU.
UniqueFd make_pipe(const std::filesystem::path& path) {
  if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
    throw errno_error("mkfifo " + path.string());
  }
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    throw errno_error("open " + path.string());
  }
  return fd;
}

ChildProcess start_qemu(const std::filesystem::path& image,
                        const std::filesystem::path& instance_directory, const std::string& tap,
                        ThreadNames names) {
  // A killed machine leaves its socket file. Then the next machine could not bind.
  std::filesystem::remove(instance_directory / "qemu.sock");
  std::vector<std::string> arguments{script("guest-run")};
  if (names == ThreadNames::on) {
    arguments.emplace_back("--named-threads");
  }
  arguments.insert(arguments.end(), {image, instance_directory, tap});
  return ChildProcess::spawn(arguments);
}

}  // namespace

std::filesystem::path guest_image() {
  std::filesystem::path image = std::filesystem::path(paths::source_root) / "build-guest";
  const CommandResult result = run({script("guest-image"), "--check", image});
  if (!result.status.success()) {
    throw std::runtime_error(result.err);
  }
  return image;
}

VirtualMachine::VirtualMachine(const std::filesystem::path& image,
                               const std::filesystem::path& instance_directory,
                               const std::string& tap, ThreadNames names)
    : console_in_(make_pipe(instance_directory / "console.in")),
      console_out_(make_pipe(instance_directory / "console.out")),
      qemu_(start_qemu(image, instance_directory, tap, names)) {
  wait_until_ready();
}

void VirtualMachine::wait_until_ready() {
  const auto deadline = steady_clock::now() + boot_timeout;
  while (read_console_line(deadline).find("GUEST READY") == std::string::npos) {
  }
}

std::string VirtualMachine::read_console_line(steady_clock::time_point deadline) {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd readable{.fd = console_out_.get(), .events = POLLIN, .revents = 0};
    // Waits for short times and checks whether QEMU has ended. The pipe itself never shows the end,
    // because the test holds it open.
    if (::poll(&readable, 1, 100) > 0) {
      std::array<char, 4096> buffer{};
      const ssize_t got = ::read(console_out_.get(), buffer.data(), buffer.size());
      if (got < 0) {
        throw errno_error("read the guest's console");
      }
      unread_.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (qemu_.wait(std::chrono::milliseconds(0))) {
      throw std::runtime_error("QEMU ended: " + qemu_.captured_err());
    } else if (steady_clock::now() >= deadline) {
      throw std::runtime_error("the guest is silent; its last words: '" + unread_ + "'; QEMU's: '" +
                               qemu_.captured_err() + "'");
    }
  }
}

std::string VirtualMachine::ask(const std::string& command) {
  const std::string line = command + "\n";
  if (::write(console_in_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw errno_error("write to the guest's console");
  }
  return read_console_line(steady_clock::now() + answer_timeout);
}

void VirtualMachine::send_frames(unsigned count) {
  const std::string answer = ask("send " + std::to_string(count));
  if (answer != "sent " + std::to_string(count)) {
    throw std::runtime_error("the guest did not send: " + answer);
  }
}

GuestCounters VirtualMachine::counters() {
  std::string answer = ask("counters");
  std::map<std::string, std::uint64_t> counters;
  std::ranges::replace(answer, '=', ' ');
  std::istringstream words(answer);
  std::string name;
  for (std::uint64_t value = 0; words >> name >> value;) {
    counters[name] = value;
  }
  return {.rx_bytes = counters.at("rx_bytes"),
          .rx_packets = counters.at("rx_packets"),
          .rx_errors = counters.at("rx_errors"),
          .rx_dropped = counters.at("rx_dropped"),
          .tx_bytes = counters.at("tx_bytes"),
          .tx_packets = counters.at("tx_packets"),
          .tx_errors = counters.at("tx_errors"),
          .tx_dropped = counters.at("tx_dropped")};
}

void VirtualMachine::burn(seconds duration) {
  const std::string answer = ask("burn " + std::to_string(duration.count()));
  if (answer != "burned " + std::to_string(duration.count())) {
    throw std::runtime_error("the guest did not burn: " + answer);
  }
}

void VirtualMachine::power_off() {
  const std::string_view command = "poweroff\n";
  if (::write(console_in_.get(), command.data(), command.size()) < 0) {
    throw errno_error("write to the guest's console");
  }
  if (!qemu_.wait(power_off_timeout)) {
    throw std::runtime_error("the guest did not power off");
  }
}

}  // namespace hypeman::tests
