#include "collector/kernel/tap.hpp"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/tap.hpp"

namespace hypeman::tests {
namespace {

using collector::tap_name;
using KernelTap = hypeman::tests::Tap;

constexpr auto interface = "hype-qilviffn";

TEST(TapName, IsTheFirstEightCharactersOfTheId) {
  EXPECT_EQ(tap_name("qilviffnqzck2jrim1x6s2b1"), "hype-qilviffn");
  EXPECT_EQ(tap_name("qilviffn"), "hype-qilviffn");
}

TEST(TapName, IsTheWholeOfAShortId) {
  EXPECT_EQ(tap_name("ab"), "hype-ab");
}

TEST(TapName, IsLowerCase) {
  EXPECT_EQ(tap_name("QilVIFFNqzck"), "hype-qilviffn");
}

class FakedTap : public ::testing::Test {
 protected:
  [[nodiscard]] const FakeSys& sys() const { return sys_; }
  [[nodiscard]] Result<collector::Tap> pin() const {
    return collector::Tap::pin(fd_.get(), interface);
  }

 private:
  FakeSys sys_;
  UniqueFd fd_{open_directory(sys_.path()).value()};
};

TEST_F(FakedTap, WhatTheHostSendsTheVmReceives) {
  sys().write(interface, /*rx_bytes=*/111, /*tx_bytes=*/222);
  const auto tap = pin();
  ASSERT_TRUE(tap) << tap.error().message();
  const auto traffic = tap->read();
  ASSERT_TRUE(traffic) << traffic.error().message();
  EXPECT_EQ(traffic->rx_bytes, 222U);
  EXPECT_EQ(traffic->tx_bytes, 111U);
}

TEST_F(FakedTap, EachReadIsFresh) {
  sys().write(interface, 1, 2);
  const auto tap = pin();
  ASSERT_TRUE(tap);
  sys().write(interface, UINT64_MAX, (std::uint64_t{1} << 32U) + 2);
  const auto traffic = tap->read();
  ASSERT_TRUE(traffic);
  EXPECT_EQ(traffic->rx_bytes, (std::uint64_t{1} << 32U) + 2);
  EXPECT_EQ(traffic->tx_bytes, UINT64_MAX);
}

TEST_F(FakedTap, ThatIsMissingIsNoDevice) {
  EXPECT_EQ(error_of(pin()), ENODEV);
}

TEST_F(FakedTap, WithOneCounterMissingIsNoDevice) {
  for (const auto* counter : {"rx_bytes", "tx_bytes"}) {
    sys().write(interface, 1, 2);
    std::filesystem::remove(sys().statistics(interface) / counter);
    EXPECT_EQ(error_of(pin()), ENODEV) << counter;
  }
}

TEST_F(FakedTap, WhoseCounterMakesNoSenseIsAnError) {
  for (const auto* counter : {"rx_bytes", "tx_bytes"}) {
    sys().write(interface, 1, 2);
    write_over(sys().statistics(interface) / counter, "many\n");
    const auto tap = pin();
    ASSERT_TRUE(tap);
    EXPECT_EQ(error_of(tap->read()), EBADMSG) << counter;
  }
}

TEST_F(FakedTap, IsNotMistakenForALongerName) {
  sys().write(std::string{interface} + "2", 1, 2);
  EXPECT_EQ(error_of(pin()), ENODEV);
}

class RealTap : public EndToEndTest {
 protected:
  [[nodiscard]] static std::string name() {
    return "hype-u" + std::to_string(::getpid() % 1'000'000);
  }
  [[nodiscard]] Result<collector::Tap> pin() const {
    return collector::Tap::pin(fd_.get(), name());
  }

 private:
  UniqueFd fd_{open_directory("/sys").value()};
};

TEST_F(RealTap, IsCountedFromTheVmsSide) {
  constexpr std::size_t sent = 100;
  constexpr std::size_t received = 333;
  KernelTap tap{name()};
  const auto pinned = pin();
  ASSERT_TRUE(pinned) << pinned.error().message();
  const auto before = pinned->read();
  ASSERT_TRUE(before);
  tap.write_frame(experimental_frame(sent));
  tap.transmit_from_host(experimental_frame(received));
  const auto after = pinned->read();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->tx_bytes - before->tx_bytes, sent);
  EXPECT_EQ(after->rx_bytes - before->rx_bytes, received);
}

TEST_F(RealTap, PinnedNeverTurnsIntoAnotherOfTheSameName) {
  std::optional<KernelTap> first{std::in_place, name()};
  const auto pinned = pin();
  ASSERT_TRUE(pinned) << pinned.error().message();
  first.reset();
  EXPECT_EQ(error_of(pinned->read()), ENODEV);
  EXPECT_EQ(error_of(pin()), ENODEV);
  const KernelTap second{name()};
  EXPECT_EQ(error_of(pinned->read()), ENODEV);
  EXPECT_EQ(error_of(pin()), 0);
}

}  // namespace
}  // namespace hypeman::tests
