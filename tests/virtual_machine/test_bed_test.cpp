#include <chrono>
#include <filesystem>
#include <optional>

#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/virtual_machine.hpp"

namespace hypeman::tests {
namespace {

class TestBed : public EndToEndTest {};

// Checks the basis of the other tests: the guest and the host count the same bytes.
TEST_F(TestBed, GuestAndTapCountTheSame) {
  const TemporaryDirectory directory;
  Tap tap(tap_of(own_instance_id('b')));
  tap.release_to_vmm();
  VirtualMachine vm(guest_image(), directory.path(), tap.name());
  EXPECT_EQ(vm.counters(), GuestCounters{});
  EXPECT_EQ(tap.counters(), TapCounters{});

  vm.send_frames(10);
  EXPECT_EQ(tap.counters(),
            (TapCounters{.rx_bytes = 10 * VirtualMachine::frame_size, .rx_packets = 10}));

  tap.transmit_from_host(unanswered_arp_frame(60));
  tap.transmit_from_host(unanswered_arp_frame(1514));
  const GuestCounters expected{.rx_bytes = 1574,
                               .rx_packets = 2,
                               .tx_bytes = 10 * VirtualMachine::frame_size,
                               .tx_packets = 10};
  EXPECT_TRUE(eventually([&] { return vm.counters() == expected; }));
  EXPECT_EQ(tap.counters(), (TapCounters{.rx_bytes = expected.tx_bytes,
                                         .rx_packets = expected.tx_packets,
                                         .tx_bytes = expected.rx_bytes,
                                         .tx_packets = expected.rx_packets}));
  vm.power_off();
}

}  // namespace
}  // namespace hypeman::tests
