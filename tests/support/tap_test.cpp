#include "tests/support/tap.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"

namespace hypeman::tests {
namespace {

class TapTest : public EndToEndTest {
 protected:
  static std::string name() { return tap_of(own_instance_id('p')); }
  static std::filesystem::path in_sys() { return "/sys/class/net/" + name(); }
  static Tap make() { return Tap(name()); }
};

TEST_F(TapTest, ExistsAsLongAsItsOwner) {
  {
    const Tap tap = make();
    EXPECT_TRUE(std::filesystem::exists(in_sys()));
    EXPECT_THROW(static_cast<void>(make()), std::system_error);
  }
  EXPECT_FALSE(std::filesystem::exists(in_sys()));
}

TEST_F(TapTest, ExistsAfterItsRelease) {
  {
    Tap tap = make();
    tap.release_to_vmm();
    EXPECT_TRUE(std::filesystem::exists(in_sys()));
  }
  EXPECT_FALSE(std::filesystem::exists(in_sys()));
}

TEST_F(TapTest, CountsNothingByItself) {
  const Tap tap = make();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(tap.counters(), TapCounters{});
}

TEST_F(TapTest, CountsWhatTheVirtualMachineSends) {
  Tap tap = make();
  tap.write_frame(experimental_frame(60));
  tap.write_frame(experimental_frame(1514));
  EXPECT_EQ(tap.counters(), (TapCounters{.rx_bytes = 1574, .rx_packets = 2}));
}

TEST_F(TapTest, CountsWhatTheHostSends) {
  Tap tap = make();
  for (int i = 0; i < 2000; ++i) {  // more than the TAP's queue holds
    tap.transmit_from_host(experimental_frame(100));
  }
  EXPECT_EQ(tap.counters(), (TapCounters{.tx_bytes = 200'000, .tx_packets = 2000}));
}

TEST_F(TapTest, RefusesInvalidFrames) {
  EXPECT_THROW(static_cast<void>(experimental_frame(13)), std::invalid_argument);
  EXPECT_THROW(Tap("an-interface-name-that-is-too-long"), std::invalid_argument);
}

}  // namespace
}  // namespace hypeman::tests
