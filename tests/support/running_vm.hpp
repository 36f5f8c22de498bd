#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/data_directory.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/virtual_machine.hpp"

namespace hypeman::tests {

/// A VM like those of Hypeman, with a TAP, a hypervisor and a record.
class RunningVm {
 public:
  /// `image` is the result of guest_image().
  RunningVm(const DataDirectory& data, const std::filesystem::path& image, std::string_view id,
            ThreadNames names = ThreadNames::off);

  [[nodiscard]] VirtualMachine& machine() { return machine_; }
  [[nodiscard]] Tap& tap() { return tap_; }
  [[nodiscard]] const InstanceRecord& record() const { return record_; }

 private:
  Tap tap_;
  VirtualMachine machine_;
  InstanceRecord record_;
};

/// Waits until a read of the VM does not time out. On a busy machine, the first check of QEMU's
/// command line can take longer than a read waits for it. Throws if this lasts for 30 seconds.
void await_first_check(const StatsMount& mount, std::string_view id);

}  // namespace hypeman::tests
