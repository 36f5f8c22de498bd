#pragma once

#include <string_view>

#include "base/result.hpp"

namespace hypeman::fs {

/// The CPUs of the machine, as sysfs shows them.
struct Cpus {
  unsigned possible;  ///< how many there can ever be
  unsigned present;   ///< how many there are, online or not
};

/// Reads /sys/devices/system/cpu. Do not use sysconf(3) for this: for some versions of glibc, a CPU
/// that is possible but not present does not count.
[[nodiscard]] Result<Cpus> read_cpus();

/// How many CPUs are in a list like "0-3,8". EINVAL: it is not a list of CPUs.
[[nodiscard]] Result<unsigned> count_cpus(std::string_view list);

}  // namespace hypeman::fs
