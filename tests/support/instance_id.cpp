#include "tests/support/instance_id.hpp"

#include <unistd.h>

#include <cstddef>

namespace hypeman::tests {
namespace {

constexpr std::size_t characters_in_tap = 8;
constexpr std::size_t digits = characters_in_tap - 1;  // the largest PID of Linux is 4194304

}  // namespace

std::string own_instance_id(char first) {
  const std::string pid = std::to_string(::getpid());
  return first + std::string(digits - pid.size(), '0') + pid + "zqck2jrim1x6s2b1";
}

std::string tap_of(std::string_view id) {
  return "hype-" + std::string{id.substr(0, characters_in_tap)};
}

}  // namespace hypeman::tests
