#include "collector/kernel/sys_class_net.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/tap.hpp"

namespace hypeman::tests {
namespace {

using collector::InterfaceCounter;
using collector::NetworkInterface;
using collector::parse_interface_counter;

constexpr auto interface = "hype-qilviffn";

TEST(InterfaceCounter, IsANumberAndANewline) {
  EXPECT_EQ(parse_interface_counter("0\n"), 0U);
  EXPECT_EQ(parse_interface_counter("12345678\n"), 12345678U);
}

TEST(InterfaceCounter, MayLackTheNewline) {
  EXPECT_EQ(parse_interface_counter("12345678"), 12345678U);
}

TEST(InterfaceCounter, CountsBeyond32Bits) {
  EXPECT_EQ(parse_interface_counter("4294967297\n"), (std::uint64_t{1} << 32U) + 1);
  EXPECT_EQ(parse_interface_counter("18446744073709551615\n"), UINT64_MAX);
}

TEST(InterfaceCounter, DoesNotWrapBeyond64Bits) {
  EXPECT_EQ(error_of(parse_interface_counter("18446744073709551616\n")), EBADMSG);
}

TEST(InterfaceCounter, GarbageIsRefused) {
  for (const auto* text : {"", "\n", "\n\n", " 1\n", "1 \n", "1\n\n", "1\n2\n", "-1\n", "+1\n",
                           "0x1\n", "1.0\n", "x\n", "1\r\n"}) {
    EXPECT_EQ(error_of(parse_interface_counter(text)), EBADMSG) << '"' << text << '"';
  }
  EXPECT_EQ(error_of(parse_interface_counter(std::string("1\0\n", 3))), EBADMSG);
}

class FakedInterface : public ::testing::Test {
 protected:
  [[nodiscard]] const FakeSys& sys() const { return sys_; }
  [[nodiscard]] Result<std::shared_ptr<const NetworkInterface>> open() const {
    return NetworkInterface::open(fd_.get(), interface);
  }

 private:
  FakeSys sys_;
  UniqueFd fd_{open_directory(sys_.path()).value()};
};

TEST_F(FakedInterface, ShowsItsCounters) {
  sys().write(interface, /*rx_bytes=*/111, /*tx_bytes=*/222);
  const auto tap = open();
  ASSERT_TRUE(tap) << tap.error().message();
  EXPECT_EQ((*tap)->read(InterfaceCounter::rx_bytes), 111U);
  EXPECT_EQ((*tap)->read(InterfaceCounter::tx_bytes), 222U);
}

TEST_F(FakedInterface, EachReadIsFresh) {
  sys().write(interface, 1, 2);
  const auto tap = open();
  ASSERT_TRUE(tap);
  sys().write(interface, UINT64_MAX, (std::uint64_t{1} << 32U) + 2);
  EXPECT_EQ((*tap)->read(InterfaceCounter::tx_bytes), (std::uint64_t{1} << 32U) + 2);
  EXPECT_EQ((*tap)->read(InterfaceCounter::rx_bytes), UINT64_MAX);
}

TEST_F(FakedInterface, IsNoDeviceIfItIsMissing) {
  EXPECT_EQ(error_of(open()), ENODEV);
}

TEST_F(FakedInterface, IsNoDeviceIfACounterIsMissing) {
  sys().write(interface, 1, 2);
  std::filesystem::remove(sys().statistics(interface) / "rx_bytes");
  const auto tap = open().value();
  EXPECT_EQ(error_of(tap->read(InterfaceCounter::rx_bytes)), ENODEV);
  EXPECT_EQ(tap->read(InterfaceCounter::tx_bytes), 2U);
}

TEST_F(FakedInterface, OpensOnlyTheCountersThatAreRead) {
  sys().write(interface, 1, 2);
  const auto tap = open().value();
  EXPECT_EQ(tap->descriptors(), 1U);
  for (const auto counter : collector::all_interface_counters) {
    ASSERT_TRUE(tap->read(counter));
    ASSERT_TRUE(tap->read(counter));
  }
  EXPECT_EQ(tap->descriptors(), 1 + collector::interface_counters);
}

TEST_F(FakedInterface, IsAnErrorIfACounterIsInvalid) {
  sys().write(interface, 1, 2);
  const auto tap = open();
  ASSERT_TRUE(tap);
  write_over(sys().statistics(interface) / "rx_bytes", "many\n");
  EXPECT_EQ(error_of((*tap)->read(InterfaceCounter::rx_bytes)), EBADMSG);
  EXPECT_EQ(error_of((*tap)->read(InterfaceCounter::tx_bytes)), 0);
  write_over(sys().statistics(interface) / "tx_bytes", "many\n");
  EXPECT_EQ(error_of((*tap)->read(InterfaceCounter::tx_bytes)), EBADMSG);
}

TEST_F(FakedInterface, IsNotMistakenForALongerName) {
  sys().write(std::string{interface} + "2", 1, 2);
  EXPECT_EQ(error_of(open()), ENODEV);
}

TEST_F(FakedInterface, IsNoDeviceWhileTheKernelDeletesIt) {
  sys().write(interface, 1, 2);
  const auto counter = sys().statistics(interface) / "rx_bytes";
  std::filesystem::remove(counter);
  // A file of an interface that answers EINVAL, as all files of an interface do in that moment.
  std::filesystem::create_symlink("/sys/class/net/lo/speed", counter);
  EXPECT_EQ(error_of(open().value()->read(InterfaceCounter::rx_bytes)), ENODEV);
}

class RealInterface : public EndToEndTest {
 protected:
  [[nodiscard]] static std::string name() {
    return "hype-u" + std::to_string(::getpid() % 1'000'000);
  }
  [[nodiscard]] Result<std::shared_ptr<const NetworkInterface>> open() const {
    return NetworkInterface::open(fd_.get(), name());
  }

 private:
  UniqueFd fd_{open_directory("/sys").value()};
};

TEST_F(RealInterface, CountsWhatTheHostReceivesAndSends) {
  constexpr std::size_t sent = 100;
  constexpr std::size_t received = 333;
  Tap tap{name()};
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message();
  const auto rx_before = (*opened)->read(InterfaceCounter::rx_bytes).value();
  const auto tx_before = (*opened)->read(InterfaceCounter::tx_bytes).value();
  tap.write_frame(experimental_frame(sent));
  tap.transmit_from_host(experimental_frame(received));
  EXPECT_EQ((*opened)->read(InterfaceCounter::rx_bytes).value() - rx_before, sent);
  EXPECT_EQ((*opened)->read(InterfaceCounter::tx_bytes).value() - tx_before, received);
}

TEST_F(RealInterface, IsNoDeviceFromTheMomentOfItsDeletion) {
  for (int round = 0; round < 10; ++round) {
    std::optional<Tap> tap{std::in_place, name()};
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message();
    std::atomic<bool> deleted = false;
    std::jthread deletion{[&] {
      tap.reset();
      deleted = true;
    }};
    while (!deleted) {
      const auto error = error_of((*opened)->read(InterfaceCounter::rx_bytes));
      ASSERT_TRUE(error == 0 || error == ENODEV) << error;
    }
    EXPECT_EQ(error_of((*opened)->read(InterfaceCounter::rx_bytes)), ENODEV);
  }
}

TEST_F(RealInterface, OpenFilesNeverShowAnotherInterfaceOfTheSameName) {
  std::optional<Tap> first{std::in_place, name()};
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message();
  first.reset();
  EXPECT_EQ(error_of((*opened)->read(InterfaceCounter::rx_bytes)), ENODEV);
  EXPECT_EQ(error_of(open()), ENODEV);
  const Tap second{name()};
  EXPECT_EQ(error_of((*opened)->read(InterfaceCounter::rx_bytes)), ENODEV);
  EXPECT_EQ(error_of(open()), 0);
}

}  // namespace
}  // namespace hypeman::tests
