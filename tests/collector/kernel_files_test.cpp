#include "collector/kernel/kernel_files.hpp"

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/held_file.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

using collector::KernelFiles;
using collector::ProcessIdentity;
using collector::Procfs;

class KernelFilesOfHungProcesses : public EndToEndTest {
 protected:
  /// A process that only its command line identifies, as with older versions of Hypeman.
  [[nodiscard]] ProcessIdentity make_process(pid_t pid) const {
    proc.write({.pid = pid, .command_line = command_line({"cloud-hypervisor", "/socket"})});
    return {.pid = pid, .socket_path = "/socket"};
  }
  [[nodiscard]] std::filesystem::path command_line_of(const ProcessIdentity& identity) const {
    return proc.process(identity.pid) / "cmdline";
  }
  static std::size_t open_descriptors() { return list("/proc/self/fd").size(); }

  FakeProc proc;
  Procfs procfs = Procfs::open(proc.path()).value();
};

TEST_F(KernelFilesOfHungProcesses, TheCheckOfAnOlderProcessDoesNotReplaceThatOfANewerOne) {
  const auto older = make_process(4711);
  const auto newer = make_process(4712);
  std::optional<HeldFile> older_hangs{std::in_place, command_line_of(older), HeldFile::Call::read};
  std::optional<HeldFile> newer_hangs{std::in_place, command_line_of(newer), HeldFile::Call::read};
  const auto files = std::make_shared<KernelFiles>();
  EXPECT_EQ(error_of(files->process(procfs, older)), ETIMEDOUT);
  const auto with_one_check = open_descriptors();
  EXPECT_EQ(error_of(files->process(procfs, newer)), ETIMEDOUT);

  older_hangs.reset();
  // Closing one descriptor of fanotify and those of the older process leaves one less.
  EXPECT_TRUE(eventually([&] { return open_descriptors() == with_one_check - 1; }));
  newer_hangs.reset();
  EXPECT_TRUE(eventually([&] { return files->has_process(newer); }));
  EXPECT_FALSE(files->has_process(older));
}

}  // namespace
}  // namespace hypeman::tests
