#include "collector/kernel/process.hpp"

#include <sched.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGKILL and friends, with kill()
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "collector/kernel/kernel_files.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/stranger.hpp"

namespace hypeman::tests {
namespace {

using collector::KernelFiles;
using collector::Process;
using collector::ProcessIdentity;
using collector::Procfs;

const std::string socket_path = "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/ch.sock";
const std::string other_vm = "/var/lib/hypeman/guests/tz4a98xxat96iws9zmbrgj3a/qemu.sock";
constexpr auto other_boot = "00000000-0000-4000-8000-000000000000";

/// Checks and opens the process as a measurement does. On a busy machine, the check of the command
/// line can take longer than a reader waits for it; this waits for its end.
Result<std::shared_ptr<const Process>> open_process(const Procfs& procfs,
                                                    const ProcessIdentity& identity) {
  const auto files = std::make_shared<KernelFiles>();
  auto opened = files->process(procfs, identity);
  EXPECT_TRUE(eventually([&] {
    if (error_of(opened) == ETIMEDOUT) {
      opened = files->process(procfs, identity);
    }
    return error_of(opened) != ETIMEDOUT;
  }));
  return opened;
}

/// A real process with the path of the socket on its command line.
class RealProcess : public ::testing::Test {
 protected:
  [[nodiscard]] const Procfs& procfs() const { return procfs_; }
  [[nodiscard]] ChildProcess& child() { return child_; }

  /// The record of newer versions of Hypeman.
  [[nodiscard]] ProcessIdentity new_record() const {
    return {.pid = child_.pid(),
            .start_time_ticks = start_time_ticks(child_.pid()),
            .boot_id = current_boot_id(),
            .socket_path = socket_path};
  }
  /// The record of older versions.
  [[nodiscard]] ProcessIdentity old_record() const {
    return {.pid = child_.pid(), .socket_path = socket_path, .owner = ::geteuid()};
  }
  [[nodiscard]] int pin(const ProcessIdentity& recorded) const {
    return error_of(open_process(procfs_, recorded));
  }

 private:
  Procfs procfs_ = Procfs::open("/proc").value();
  ChildProcess child_ = start_stand_in(socket_path);
};

TEST_F(RealProcess, IsRecognisedByItsStartTimeAndBoot) {
  const auto process = open_process(procfs(), new_record());
  ASSERT_TRUE(process) << process.error().message();
  const auto stat = (*process)->read_stat();
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_EQ(stat->start_time_ticks, start_time_ticks(child().pid()));
  EXPECT_TRUE(stat->alive());
  const auto statm = (*process)->read_statm();
  ASSERT_TRUE(statm) << statm.error().message();
  EXPECT_GT(statm->resident_pages, 0U);
}

TEST_F(RealProcess, IsRecognisedByItsCommandLineIfNothingElseIsRecorded) {
  EXPECT_EQ(pin(old_record()), 0);
}

TEST_F(RealProcess, IsRefusedWithAnotherStartTime) {
  auto recorded = new_record();
  ++recorded.start_time_ticks;
  EXPECT_EQ(pin(recorded), ESRCH);
  recorded.start_time_ticks -= 2;
  EXPECT_EQ(pin(recorded), ESRCH);
}

TEST_F(RealProcess, IsRefusedWithAnotherBootId) {
  auto recorded = new_record();
  recorded.boot_id = other_boot;
  EXPECT_EQ(pin(recorded), ESRCH);
  recorded.start_time_ticks = 0;
  EXPECT_EQ(pin(recorded), ESRCH);
}

TEST_F(RealProcess, IsRefusedWithAnotherCommandLine) {
  auto recorded = old_record();
  recorded.socket_path = "/var/lib/hypeman/guests/tz4a98xxat96iws9zmbrgj3a/ch.sock";
  EXPECT_EQ(pin(recorded), ESRCH);
}

TEST_F(RealProcess, APidAloneIsNotAnIdentity) {
  EXPECT_EQ(pin({.pid = child().pid()}), ESRCH);
}

TEST_F(RealProcess, ARelativeSocketPathIsNotAnIdentity) {
  EXPECT_EQ(pin({.pid = child().pid(), .socket_path = "--api-socket"}), ESRCH);
}

TEST_F(RealProcess, ASocketPathWithANulIsNotAnIdentity) {
  const std::string two_arguments = socket_path + '\0';
  EXPECT_EQ(pin({.pid = child().pid(), .socket_path = two_arguments}), ESRCH);
}

TEST_F(RealProcess, IsNotRunningWhenItHasDied) {
  const auto recorded = new_record();
  child().send_signal(SIGKILL);
  ASSERT_TRUE(child().wait(std::chrono::seconds{10}));
  EXPECT_EQ(pin(recorded), ESRCH);
  EXPECT_EQ(pin({.pid = recorded.pid, .socket_path = socket_path}), ESRCH);
}

TEST_F(RealProcess, IsNotRunningAsAZombie) {
  const auto recorded = new_record();
  const auto pinned = open_process(procfs(), recorded);
  ASSERT_TRUE(pinned);
  child().send_signal(SIGKILL);
  ASSERT_TRUE(eventually([&] { return !(*pinned)->read_stat().value().alive(); }));
  EXPECT_EQ(pin(recorded), ESRCH);
  EXPECT_EQ(pin(old_record()), ESRCH);
  EXPECT_EQ(error_of((*pinned)->read_statm()), ESRCH);
}

TEST_F(RealProcess, ThatIsStoppedIsStillRunning) {
  child().send_signal(SIGSTOP);
  EXPECT_EQ(pin(new_record()), 0);
}

TEST_F(RealProcess, OpenFilesShowNothingAfterItsDeath) {
  const auto process = open_process(procfs(), new_record());
  ASSERT_TRUE(process);
  child().send_signal(SIGKILL);
  ASSERT_TRUE(child().wait(std::chrono::seconds{10}));
  EXPECT_EQ(error_of((*process)->read_stat()), ESRCH);
  EXPECT_EQ(error_of((*process)->read_statm()), ESRCH);
}

class ReusedPid : public EndToEndTest {};

TEST_F(ReusedPid, IsNeverReported) {
  const auto procfs = Procfs::open("/proc").value();
  auto hypervisor = start_stand_in(socket_path);
  const auto pid = hypervisor.pid();
  const ProcessIdentity new_record{.pid = pid,
                                   .start_time_ticks = start_time_ticks(pid),
                                   .boot_id = current_boot_id(),
                                   .socket_path = socket_path};
  const ProcessIdentity old_record{.pid = pid, .socket_path = socket_path};
  const auto pinned = open_process(procfs, new_record);
  ASSERT_TRUE(pinned) << pinned.error().message();

  hypervisor.send_signal(SIGKILL);
  ASSERT_TRUE(hypervisor.wait(std::chrono::seconds{10}));
  std::this_thread::sleep_for(std::chrono::milliseconds{50});  // start times are counted in ticks
  const Stranger stranger{pid};

  EXPECT_EQ(error_of((*pinned)->read_stat()), ESRCH);
  EXPECT_EQ(error_of((*pinned)->read_statm()), ESRCH);
  EXPECT_EQ(error_of(open_process(procfs, new_record)), ESRCH);
  EXPECT_EQ(error_of(open_process(procfs, old_record)), ESRCH);
}

/// Start times count in ticks, so two processes can have the same PID and the same start time. The
/// record of the one that has ended then fits the other one, except for the socket.
TEST_F(ReusedPid, OfAnotherVmIsNotReportedWithinATick) {
  const auto procfs = Procfs::open("/proc").value();
  const auto stranger = start_stand_in(other_vm);
  EXPECT_EQ(error_of(open_process(procfs, {.pid = stranger.pid(),
                                           .start_time_ticks = start_time_ticks(stranger.pid()),
                                           .boot_id = current_boot_id(),
                                           .socket_path = socket_path})),
            ESRCH);
}

/// Whether exec(2) has set the command line.
bool names_a_socket(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/cmdline").text;
  return text.find(".sock") != std::string::npos;
}

class ForeignUser : public EndToEndTest {};

TEST_F(ForeignUser, IsNotTheHypervisorEvenWithTheSocketOnItsCommandLine) {
  constexpr uid_t nobody = 65534;
  const auto procfs = Procfs::open("/proc").value();
  const auto process = ChildProcess::spawn(
      {std::string{paths::stand_in}, "--api-socket", socket_path}, as_unprivileged_user());
  ASSERT_TRUE(eventually([&] { return names_a_socket(process.pid()); }));
  ProcessIdentity record{.pid = process.pid(), .socket_path = socket_path, .owner = 0};
  EXPECT_EQ(error_of(open_process(procfs, record)), ESRCH);
  record.owner = nobody;
  EXPECT_EQ(error_of(open_process(procfs, record)), 0);
  record.owner = nobody - 1;
  EXPECT_EQ(error_of(open_process(procfs, record)), ESRCH);
}

/// Processes in a directory with the layout of /proc.
class FakedProcess : public ::testing::Test {
 protected:
  FakedProcess() { proc_.write(process()); }

  [[nodiscard]] static FakeProcess process() {
    return {.command_line = command_line({"cloud-hypervisor", "--api-socket", socket_path})};
  }
  [[nodiscard]] static ProcessIdentity recorded() {
    return {.pid = process().pid,
            .start_time_ticks = process().start_time_ticks,
            .boot_id = std::string{FakeProc::boot_id},
            .socket_path = socket_path};
  }
  [[nodiscard]] const FakeProc& proc() const { return proc_; }
  [[nodiscard]] int pin(const ProcessIdentity& record) const {
    return error_of(open_process(Procfs::open(proc_.path()).value(), record));
  }

 private:
  FakeProc proc_;
};

TEST_F(FakedProcess, WithStartTimeAndBootNeedsNoCommandLine) {
  auto without = process();
  without.command_line = "";
  proc().write(without);
  EXPECT_EQ(pin(recorded()), 0);
  auto no_socket = recorded();
  no_socket.socket_path = "";
  EXPECT_EQ(pin(no_socket), 0);
}

TEST_F(FakedProcess, WithoutARecordedBootIdAlsoNeedsTheCommandLine) {
  auto record = recorded();
  record.boot_id = "";
  EXPECT_EQ(pin(record), 0);
  record.socket_path = "/other.sock";
  EXPECT_EQ(pin(record), ESRCH);
  record = recorded();
  record.boot_id = "";
  ++record.start_time_ticks;
  EXPECT_EQ(pin(record), ESRCH);
}

TEST_F(FakedProcess, WithoutTheKernelsBootIdAlsoNeedsTheCommandLine) {
  std::filesystem::remove_all(std::filesystem::path{proc().path()} / "sys");
  auto record = recorded();
  EXPECT_EQ(pin(record), 0);
  record.socket_path = "/other.sock";
  EXPECT_EQ(pin(record), ESRCH);
}

TEST_F(FakedProcess, WithoutARecordedStartTimeAlsoNeedsTheCommandLine) {
  auto record = recorded();
  record.start_time_ticks = 0;
  EXPECT_EQ(pin(record), 0);
  record.socket_path = "/other.sock";
  EXPECT_EQ(pin(record), ESRCH);
}

TEST_F(FakedProcess, WithAReusedPidIsRefused) {
  auto stranger = process();
  stranger.start_time_ticks += 1;
  stranger.command_line = command_line({"sleep", "60"});
  proc().replace(stranger);
  EXPECT_EQ(pin(recorded()), ESRCH);
  EXPECT_EQ(pin({.pid = stranger.pid, .socket_path = socket_path}), ESRCH);
}

TEST_F(FakedProcess, OfAnotherVmIsRefused) {
  auto stranger = process();
  stranger.command_line = command_line({"cloud-hypervisor", "--api-socket", socket_path + "2"});
  proc().replace(stranger);
  EXPECT_EQ(pin({.pid = stranger.pid, .socket_path = socket_path}), ESRCH);
}

TEST_F(FakedProcess, ThatNamesTheSocketOfAnotherVmIsRefusedAlsoWithStartTimeAndBoot) {
  auto stranger = process();
  stranger.command_line = command_line({"qemu", "-chardev", "socket,id=qmp,path=" + other_vm});
  proc().replace(stranger);
  EXPECT_EQ(pin(recorded()), ESRCH);
  auto no_socket = recorded();
  no_socket.socket_path = "";
  EXPECT_EQ(pin(no_socket), 0);
}

TEST_F(FakedProcess, ThatAlsoNamesItsOwnSocketIsAccepted) {
  auto forked = process();
  forked.command_line = command_line({"vmm", "--from", other_vm, "--api-socket", socket_path});
  proc().replace(forked);
  EXPECT_EQ(pin(recorded()), 0);
}

TEST_F(FakedProcess, WithAnEndlessCommandLineIsNotRunning) {
  auto stranger = process();
  stranger.command_line = command_line({std::string(5'000'000, 'x'), socket_path});
  proc().replace(stranger);
  EXPECT_EQ(pin(recorded()), ESRCH);
  EXPECT_EQ(pin({.pid = stranger.pid, .socket_path = socket_path}), ESRCH);
}

TEST_F(FakedProcess, OfAForeignUserIsRefusedBeforeItsCommandLineIsRead) {
  constexpr uid_t owner = 1000;
  auto record = recorded();
  record.start_time_ticks = 0;
  record.owner = owner;
  const auto pin_as = [&](uid_t real, uid_t effective) {
    auto candidate = process();
    candidate.real_user = real;
    candidate.effective_user = effective;
    proc().replace(candidate);
    if (real == owner + 1 || effective == owner + 1) {
      std::filesystem::remove(proc().process(candidate.pid) / "cmdline");
      std::filesystem::create_directory(proc().process(candidate.pid) / "cmdline");
    }
    return pin(record);
  };
  EXPECT_EQ(pin_as(owner, owner), 0);
  EXPECT_EQ(pin_as(0, 0), 0);
  EXPECT_EQ(pin_as(owner, 0), 0);
  EXPECT_EQ(pin_as(owner + 1, owner + 1), ESRCH);
  EXPECT_EQ(pin_as(owner + 1, owner), ESRCH);
  EXPECT_EQ(pin_as(owner, owner + 1), ESRCH);
}

TEST_F(FakedProcess, WithStartTimeAndBootMayRunAsAnyUser) {
  auto jailed = process();
  jailed.real_user = 1000;
  jailed.effective_user = 1000;
  proc().replace(jailed);
  EXPECT_EQ(pin(recorded()), 0);
}

TEST_F(FakedProcess, ThatIsDeadIsNotRunning) {
  for (const char state : {'Z', 'X'}) {
    auto dead = process();
    dead.state = state;
    proc().write(dead);
    EXPECT_EQ(pin(recorded()), ESRCH) << state;
  }
}

TEST_F(FakedProcess, WithoutADirectoryIsNotRunning) {
  proc().remove(process().pid);
  EXPECT_EQ(pin(recorded()), ESRCH);
}

TEST_F(FakedProcess, ThatEndsDuringTheOpenIsNotRunning) {
  std::filesystem::remove(proc().process(process().pid) / "stat");
  EXPECT_EQ(pin(recorded()), ESRCH);
}

TEST_F(FakedProcess, WithAnInvalidStatIsAnError) {
  write_over(proc().process(process().pid) / "stat", "nonsense\n");
  EXPECT_EQ(pin(recorded()), EBADMSG);
}

}  // namespace
}  // namespace hypeman::tests
