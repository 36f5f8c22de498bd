#pragma once

#include <string_view>

namespace hypeman::fs {

/// How the kernel's requests reach this process: with read(2) from /dev/fuse, or through io_uring.
enum class Transport { classic, io_uring };

/// Which transport the user wants. `automatic`: io_uring if the system allows it.
enum class TransportChoice { automatic, io_uring, classic };

[[nodiscard]] constexpr std::string_view name_of(Transport transport) {
  return transport == Transport::io_uring ? "io_uring" : "classic";
}

}  // namespace hypeman::fs
