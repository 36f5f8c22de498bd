#include "collector/kernel/net_statistics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::parse_net_statistic;
using collector::read_net_statistic;

TEST(NetStatistic, IsANumberAndANewline) {
  EXPECT_EQ(parse_net_statistic("0\n"), 0U);
  EXPECT_EQ(parse_net_statistic("12345678\n"), 12345678U);
}

TEST(NetStatistic, MayLackTheNewline) {
  EXPECT_EQ(parse_net_statistic("12345678"), 12345678U);
}

TEST(NetStatistic, CountsBeyond32Bits) {
  EXPECT_EQ(parse_net_statistic("4294967297\n"), (std::uint64_t{1} << 32U) + 1);
  EXPECT_EQ(parse_net_statistic("18446744073709551615\n"), UINT64_MAX);
}

TEST(NetStatistic, DoesNotWrapBeyond64Bits) {
  EXPECT_EQ(error_of(parse_net_statistic("18446744073709551616\n")), EBADMSG);
}

TEST(NetStatistic, GarbageIsRefused) {
  for (const auto* text : {"", "\n", "\n\n", " 1\n", "1 \n", "1\n\n", "1\n2\n", "-1\n", "+1\n",
                           "0x1\n", "1.0\n", "x\n", "1\r\n"}) {
    EXPECT_EQ(error_of(parse_net_statistic(text)), EBADMSG) << '"' << text << '"';
  }
  EXPECT_EQ(error_of(parse_net_statistic(std::string("1\0\n", 3))), EBADMSG);
}

TEST(NetStatistic, ReadsTheSameDescriptorAgainAndAgain) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "rx_bytes";
  write_over(path, "10\n");
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(read_net_statistic(fd.get()), 10U);
  write_over(path, "200\n");
  EXPECT_EQ(read_net_statistic(fd.get()), 200U);
}

TEST(NetStatistic, ReadsTheKernels) {
  const UniqueFd fd{::open("/sys/class/net/lo/statistics/rx_bytes", O_RDONLY | O_CLOEXEC)};
  const auto value = read_net_statistic(fd.get());
  EXPECT_TRUE(value) << value.error().message();
}

}  // namespace
}  // namespace hypeman::tests
