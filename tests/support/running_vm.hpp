#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/data_directory.hpp"
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

}  // namespace hypeman::tests
