#include "tests/support/child_process.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/privileges.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ChildProcess, ReportsExitCodeAndBothStreams) {
  const CommandResult result = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.status, (ExitStatus{.code = 3, .signal = 0}));
  EXPECT_FALSE(result.status.success());
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST(ChildProcess, ReportsTheSignalThatEndedIt) {
  ChildProcess child = ChildProcess::spawn({"sleep", "60"});
  child.send_signal(SIGTERM);
  EXPECT_EQ(child.wait(seconds(10)), (ExitStatus{.code = -1, .signal = SIGTERM}));
  EXPECT_NO_THROW(child.send_signal(SIGTERM));
}

TEST(ChildProcess, WaitGivesUpInTime) {
  ChildProcess child = ChildProcess::spawn({"sleep", "60"});
  EXPECT_EQ(child.wait(milliseconds(20)), std::nullopt);
}

TEST(ChildProcess, DestructorKillsAndReaps) {
  pid_t pid = 0;
  {
    const ChildProcess child = ChildProcess::spawn({"sleep", "60"});
    pid = child.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(ChildProcess, MovesWithItsProcess) {
  ChildProcess first = ChildProcess::spawn({"sleep", "60"});
  const pid_t pid = first.pid();
  ChildProcess second = std::move(first);
  EXPECT_EQ(second.pid(), pid);
  EXPECT_EQ(second.wait(milliseconds(0)), std::nullopt);
}

TEST(ChildProcess, ALotOfOutputDoesNotBlock) {
  const CommandResult result = run({"sh", "-c", "head -c 1000000 /dev/zero"});
  EXPECT_TRUE(result.status.success());
  EXPECT_EQ(result.out.size(), 1'000'000U);
}

TEST(ChildProcess, AddsToTheEnvironmentAndChangesDirectory) {
  SpawnOptions options;
  options.environment = {{"FIELD", "cpu_seconds"}};
  options.working_directory = "/proc";
  const CommandResult result = run({"sh", "-c", "echo $FIELD in $(pwd), $PATH"}, options);
  EXPECT_EQ(result.out.rfind("cpu_seconds in /proc, /", 0), 0U) << result.out;
}

TEST(ChildProcess, WritesToAFile) {
  const TemporaryDirectory directory;
  SpawnOptions options;
  options.out = directory.path() / "log";
  EXPECT_TRUE(run({"echo", "hello"}, options).status.success());
  std::ifstream log(directory.path() / "log");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(log), {}), "hello\n");
}

TEST(ChildProcess, ThrowsIfAProgramDoesNotExist) {
  EXPECT_THROW(static_cast<void>(run({"/no/such/program"})), std::system_error);
}

TEST(ChildProcess, RunKillsACommandThatTakesTooLong) {
  EXPECT_THROW(static_cast<void>(run({"sleep", "60"}, {}, milliseconds(20))), std::runtime_error);
}

class UnprivilegedChild : public EndToEndTest {};

TEST_F(UnprivilegedChild, HasNoGroupsAndNoRights) {
  EXPECT_EQ(run({"id", "-u"}, as_unprivileged_user()).out, "65534\n");
  EXPECT_EQ(run({"id", "-G"}, as_unprivileged_user()).out, "65534\n");
  EXPECT_FALSE(run({"cat", "/etc/shadow"}, as_unprivileged_user()).status.success());
}

}  // namespace
}  // namespace hypeman::tests
