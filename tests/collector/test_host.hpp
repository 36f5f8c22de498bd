#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>

#include "collector/instances/host.hpp"
#include "tests/support/data_directory.hpp"

namespace hypeman::tests {

/// IDs in the format of Hypeman.
inline constexpr std::string_view first_id = "qilviffnqzck2jrim1x6s2b1";
inline constexpr std::string_view second_id = "tz4a98xxat96iws9zmbrgj3a";
inline constexpr std::string_view third_id = "zpf0dn2x5n1kd0m3v7v1c8aa";

/// A host with its own data directory. A test can read its log.
class TestHost {
 public:
  /// The default roots are those of the machine. A test can replace them.
  explicit TestHost(const std::string& proc = "/proc", const std::string& sys = "/sys");

  [[nodiscard]] const DataDirectory& data() const { return data_; }
  [[nodiscard]] const collector::Host& host() const { return host_; }

  [[nodiscard]] std::string log() const { return log_.str(); }
  [[nodiscard]] std::size_t logged_lines() const;

 private:
  DataDirectory data_;
  std::ostringstream log_;
  collector::Host host_;
};

}  // namespace hypeman::tests
