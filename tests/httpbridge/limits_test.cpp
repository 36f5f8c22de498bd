#include "httpbridge/http/limits.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

using std::chrono_literals::operator""s;

TEST(SendTimeout, GrowsByASecondForEachSecondAtTheMinimumRate) {
  const Limits limits;
  EXPECT_EQ(send_timeout(limits, 0), limits.request_timeout);
  EXPECT_EQ(send_timeout(limits, limits.min_send_rate), limits.request_timeout + 1s);
  EXPECT_EQ(send_timeout(limits, 90 * limits.min_send_rate), limits.request_timeout + 90s);
}

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
