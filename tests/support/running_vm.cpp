#include "tests/support/running_vm.hpp"

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"

namespace hypeman::tests {
namespace {

Tap make_tap(std::string_view id) {
  Tap tap{tap_of(id)};
  tap.release_to_vmm();
  return tap;
}

VirtualMachine boot(const DataDirectory& data, const std::filesystem::path& image,
                    std::string_view id, const std::string& tap, ThreadNames names) {
  std::filesystem::create_directories(data.instance(id));
  return {image, data.instance(id), tap, names};
}

}  // namespace

RunningVm::RunningVm(const DataDirectory& data, const std::filesystem::path& image,
                     std::string_view id, ThreadNames names)
    : tap_{make_tap(id)},
      machine_{boot(data, image, id, tap_.name(), names)},
      record_{running_record(id, machine_.pid(), data.instance(id) / "qemu.sock")} {
  record_.network_enabled = true;
  record_.vcpus = 1;
  data.write(record_);
}

void await_first_check(const StatsMount& mount, std::string_view id) {
  const auto has_answer = [&] { return mount.read(id, "state").error != ETIMEDOUT; };
  if (!eventually(has_answer, std::chrono::seconds(30))) {
    throw std::runtime_error("the check of QEMU's command line does not end");
  }
}

}  // namespace hypeman::tests
