#include "tests/support/tap.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/errors.hpp"

namespace hypeman::tests {
namespace {

constexpr std::uint16_t experimental_ethertype = 0x88B5;  // IEEE 802, local experimental 1
constexpr std::size_t header_size = ETH_HLEN;
constexpr std::size_t largest_frame = 65536;
constexpr int read_back_timeout_ms = 5000;

ifreq request_for(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    throw std::invalid_argument("not an interface name: '" + name + "'");
  }
  ifreq request{};
  std::copy(name.begin(), name.end(), std::begin(request.ifr_name));
  return request;
}

UniqueFd attach(const std::string& name, int extra_flags) {
  UniqueFd queue(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!queue) {
    throw errno_error("open /dev/net/tun");
  }
  ifreq request = request_for(name);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | extra_flags);
  if (::ioctl(queue.get(), TUNSETIFF, &request) != 0) {
    throw errno_error("attach to TAP " + name);
  }
  return queue;
}

void disable_ipv6(const std::string& name) {
  const std::filesystem::path knob = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  if (std::filesystem::exists(knob) && !(std::ofstream(knob) << "1\n").flush()) {
    throw errno_error("write " + knob.string());
  }
}

void set_up(const std::string& name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = request_for(name);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) {
    throw errno_error("read the flags of " + name);
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
    throw errno_error("set up " + name);
  }
}

std::uint64_t read_counter(const std::string& interface, const std::string& counter) {
  const std::string path = "/sys/class/net/" + interface + "/statistics/" + counter;
  std::uint64_t value = 0;
  if (!(std::ifstream(path) >> value)) {
    throw std::runtime_error("no counter in " + path);
  }
  return value;
}

}  // namespace

std::vector<std::byte> experimental_frame(std::size_t size) {
  if (size < header_size) {
    throw std::invalid_argument("a frame has at least the 14 bytes of its header");
  }
  std::vector<std::byte> frame(size, std::byte{0x5A});
  std::fill_n(frame.begin(), ETH_ALEN, std::byte{0xFF});             // to: broadcast
  std::fill_n(frame.begin() + ETH_ALEN, ETH_ALEN, std::byte{0x02});  // from: locally administered
  frame[header_size - 2] = std::byte{experimental_ethertype >> 8};
  frame[header_size - 1] = std::byte{experimental_ethertype & 0xFF};
  return frame;
}

std::vector<std::byte> unanswered_arp_frame(std::size_t size) {
  auto frame = experimental_frame(size);
  frame[header_size - 2] = std::byte{ETH_P_ARP >> 8};
  frame[header_size - 1] = std::byte{ETH_P_ARP & 0xFF};
  return frame;
}

Tap::Tap(std::string name)
    : name_(std::move(name)),
      queue_(attach(name_, IFF_TUN_EXCL)),
      host_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  if (!host_) {
    throw errno_error("open a packet socket");
  }
  disable_ipv6(name_);
  set_up(name_);
}

Tap::~Tap() {
  if (queue_ || name_.empty()) {
    return;  // the kernel removes a TAP with its last descriptor unless it is persistent
  }
  try {
    const UniqueFd queue = attach(name_, 0);
    ::ioctl(queue.get(), TUNSETPERSIST, 0);
  } catch (const std::system_error&) {
    // The test has deleted it, or a VMM still uses it. Then the code that started the VMM must end
    // it.
  }
}

void Tap::write_frame(std::span<const std::byte> frame) {
  const ssize_t written = ::write(queue_.get(), frame.data(), frame.size());
  if (written != static_cast<ssize_t>(frame.size())) {
    throw errno_error("write a frame to TAP " + name_);
  }
}

bool Tap::send_from_host(std::span<const std::byte> frame) {
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_ifindex = static_cast<int>(::if_nametoindex(name_.c_str()));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own type punning
  const auto* address = reinterpret_cast<const sockaddr*>(&link);
  return ::sendto(host_.get(), frame.data(), frame.size(), 0, address, sizeof link) ==
         static_cast<ssize_t>(frame.size());
}

void Tap::transmit_from_host(std::span<const std::byte> frame) {
  if (!send_from_host(frame)) {
    throw errno_error("send a frame to TAP " + name_);
  }
  if (queue_) {
    read_back(frame);
  }
}

void Tap::read_back(std::span<const std::byte> frame) {
  std::vector<std::byte> received(largest_frame);
  pollfd readable{.fd = queue_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&readable, 1, read_back_timeout_ms) > 0) {
    const ssize_t got = ::read(queue_.get(), received.data(), received.size());
    if (got < 0 && errno != EAGAIN) {
      throw errno_error("read from TAP " + name_);
    }
    if (got >= 0 &&
        std::ranges::equal(std::span(received).first(static_cast<std::size_t>(got)), frame)) {
      return;
    }
  }
  throw std::runtime_error("a frame sent to TAP " + name_ + " did not arrive at its other side");
}

void Tap::overflow_from_host() {
  constexpr int more_than_any_queue = 100'000;
  const auto before = counter("tx_dropped");
  for (int sent = 0; sent < more_than_any_queue && counter("tx_dropped") == before; ++sent) {
    // ENOBUFS: the kernel has dropped it.
    if (!send_from_host(experimental_frame(header_size)) && errno != ENOBUFS) {
      throw errno_error("send a frame to TAP " + name_);
    }
  }
  if (counter("tx_dropped") == before) {
    throw std::runtime_error("TAP " + name_ + " drops nothing");
  }
}

void Tap::release_to_vmm() {
  if (::ioctl(queue_.get(), TUNSETPERSIST, 1) != 0) {
    throw errno_error("keep TAP " + name_);
  }
  queue_ = UniqueFd();
}

std::uint64_t Tap::counter(const std::string& counter) const {
  return read_counter(name_, counter);
}

TapCounters Tap::counters() const {
  return {.rx_bytes = read_counter(name_, "rx_bytes"),
          .rx_packets = read_counter(name_, "rx_packets"),
          .tx_bytes = read_counter(name_, "tx_bytes"),
          .tx_packets = read_counter(name_, "tx_packets")};
}

}  // namespace hypeman::tests
