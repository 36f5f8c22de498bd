#include "httpbridge/http/limits.hpp"

#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

TEST(DivideDescriptors, NeverPromisesMoreThanTheLimit) {
  for (const std::size_t open_files : {20U, 64U, 100U, 128U, 256U, 1024U, 65536U}) {
    const DescriptorLimits limits = divide_descriptors(open_files, Limits{}.connections);
    EXPECT_GE(limits.connections, 1U) << open_files;
    EXPECT_LT(limits.connections + limits.cached_files, open_files) << open_files;
  }
  EXPECT_EQ(divide_descriptors(65536, 4096).connections, 4096U);
  EXPECT_EQ(divide_descriptors(0, 4096).connections, 1U);
}

}  // namespace
}  // namespace hypeman::httpbridge
