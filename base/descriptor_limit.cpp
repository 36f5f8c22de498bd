#include "base/descriptor_limit.hpp"

#include <sys/resource.h>

namespace hypeman {

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 0;
  }
  // The soft limit is low by default because select(2) cannot handle descriptors above 1023. These
  // programs do not use select(2).
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace hypeman
