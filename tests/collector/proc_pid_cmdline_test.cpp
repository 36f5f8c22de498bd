#include "collector/kernel/proc_pid_cmdline.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::command_line_names;
using collector::read_proc_pid_cmdline;

const std::string path = "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/ch.sock";

TEST(CommandLineNames, AnArgumentOfItsOwn) {
  EXPECT_TRUE(
      command_line_names(command_line({"cloud-hypervisor", "--api-socket", path, "-v"}), path));
  EXPECT_TRUE(command_line_names(command_line({"firecracker", "--api-sock", path}), path));
}

TEST(CommandLineNames, AValueAfterAnEqualsSign) {
  EXPECT_TRUE(command_line_names(command_line({"vmm", "--api-socket=" + path, "-v"}), path));
  EXPECT_TRUE(command_line_names(command_line({"vmm", "--api-socket=" + path}), path));
}

TEST(CommandLineNames, AValueInTheMiddleOfAQemuOption) {
  EXPECT_TRUE(command_line_names(
      command_line({"qemu-system-x86_64", "-chardev",
                    "socket,id=qmp,path=" + path + ",server=on,wait=off", "-mon", "chardev=qmp"}),
      path));
}

TEST(CommandLineNames, AValueAtTheEndOfAQemuOption) {
  EXPECT_TRUE(command_line_names(
      command_line({"qemu-system-x86_64", "-chardev", "socket,id=qmp,path=" + path}), path));
}

TEST(CommandLineNames, TheLastArgumentWithoutItsNul) {
  EXPECT_TRUE(command_line_names("vmm" + std::string(1, '\0') + path, path));
  EXPECT_TRUE(command_line_names(path, path));
}

TEST(CommandLineNames, NotALongerPathThatStartsTheSame) {
  for (const auto* tail : {"2", ".bak", "/x", " ", "-", "=1", ":0"}) {
    const auto longer = path + tail;
    EXPECT_FALSE(command_line_names(command_line({"vmm", "--api-socket", longer}), path)) << tail;
    EXPECT_FALSE(command_line_names(command_line({"vmm", "--api-socket=" + longer}), path)) << tail;
  }
}

TEST(CommandLineNames, NotAShorterPath) {
  EXPECT_FALSE(command_line_names(
      command_line({"vmm", "--api-socket", path.substr(0, path.size() - 1)}), path));
  EXPECT_FALSE(command_line_names(command_line({"vmm", "--api-socket", path.substr(1)}), path));
}

TEST(CommandLineNames, NotAPathInTheMiddleOfAWord) {
  for (const std::string head : {"/mnt", "x", "unix:", " ", ",", "-S"}) {
    EXPECT_FALSE(command_line_names(command_line({"vmm", head + path}), path)) << head;
    EXPECT_FALSE(command_line_names(command_line({"vmm", head + path + ",x"}), path)) << head;
  }
}

TEST(CommandLineNames, NotAPathThatIsSplitOverTwoArguments) {
  EXPECT_FALSE(
      command_line_names(command_line({"vmm", path.substr(0, 20), path.substr(20)}), path));
}

TEST(CommandLineNames, ASimilarPathDoesNotHideTheRealOne) {
  EXPECT_TRUE(command_line_names(command_line({"vmm", "/mnt" + path, path + "2", path}), path));
  EXPECT_TRUE(command_line_names("aa" + std::string(1, '\0') + "a", "a"));
}

TEST(CommandLineNames, NothingInAnEmptyCommandLine) {
  EXPECT_FALSE(command_line_names("", path));
  EXPECT_FALSE(command_line_names(std::string(3, '\0'), path));
}

TEST(CommandLineNames, NoEmptyPath) {
  EXPECT_FALSE(command_line_names("", ""));
  EXPECT_FALSE(command_line_names(command_line({"vmm", "", "x"}), ""));
}

TEST(ProcPidCmdline, ReadsTheFileOfThisProcess) {
  const UniqueFd fd{::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)};
  const auto text = read_proc_pid_cmdline(fd.get());
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_NE(text->find("collector_test"), std::string::npos);
}

TEST(ProcPidCmdline, ReadsALongOneToItsEnd) {
  constexpr std::size_t length = 3'000'000;
  const TemporaryDirectory directory;
  write_over(directory.path() / "cmdline", command_line({std::string(length, 'x'), path}));
  const UniqueFd fd{::open((directory.path() / "cmdline").c_str(), O_RDONLY | O_CLOEXEC)};
  const auto text = read_proc_pid_cmdline(fd.get());
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_TRUE(command_line_names(*text, path));
}

TEST(ProcPidCmdline, RefusesATextAboveTheLimit) {
  const UniqueFd fd{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(error_of(read_proc_pid_cmdline(fd.get())), EFBIG);
}

}  // namespace
}  // namespace hypeman::tests
