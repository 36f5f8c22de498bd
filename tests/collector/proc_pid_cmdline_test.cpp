#include "collector/kernel/proc_pid_cmdline.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::NamedSocket;
using collector::SocketSearch;

const std::string path = "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/ch.sock";

Result<NamedSocket> named_socket(std::string_view text, const std::string& socket_path) {
  const TemporaryDirectory directory;
  write_over(directory.path() / "cmdline", text);
  const UniqueFd fd{::open((directory.path() / "cmdline").c_str(), O_RDONLY | O_CLOEXEC)};
  return SocketSearch{socket_path}.read_proc_pid_cmdline(fd.get());
}

bool command_line_names(std::string_view text, const std::string& socket_path) {
  return named_socket(text, socket_path) == NamedSocket::of_this_vm;
}

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
  EXPECT_TRUE(command_line_names("/a/a" + std::string(1, '\0') + "/a", "/a"));
}

TEST(CommandLineNames, NothingInAnEmptyCommandLine) {
  EXPECT_FALSE(command_line_names("", path));
  EXPECT_FALSE(command_line_names(std::string(3, '\0'), path));
}

TEST(CommandLineNames, NothingButAnAbsolutePath) {
  EXPECT_TRUE(SocketSearch::is_possible(path));
  for (const auto& other :
       {std::string{}, std::string{"ch.sock"}, path + '\0', "/" + std::string(5000, 'x')}) {
    EXPECT_FALSE(SocketSearch::is_possible(other)) << other;
  }
}

TEST(CommandLineNames, ThePathAtAnyPlaceOfALongText) {
  for (std::size_t before = 0; before < 40'000; before += 397) {
    EXPECT_TRUE(command_line_names(command_line({std::string(before, '/'), path, "x"}), path))
        << before;
    const auto text = command_line({std::string(before, '/'), path + "x", std::string(9000, 'y')});
    EXPECT_FALSE(command_line_names(text, path)) << before;
  }
}

const std::string guests = "/var/lib/hypeman/guests/";
const std::string other_id = "tz4a98xxat96iws9zmbrgj3a";
const std::string other_directory = guests + other_id + "/";

TEST(CommandLineNames, TheSocketOfAnotherVm) {
  for (const auto* name : {"ch.sock", "qemu.sock", "fc.sock"}) {
    for (const auto* head : {"", "--api-socket=", "socket,id=qmp,path="}) {
      for (const auto* tail : {"", ",server=on"}) {
        const auto argument = head + other_directory + name + tail;
        EXPECT_EQ(named_socket(command_line({"vmm", argument}), path), NamedSocket::of_another_vm)
            << argument;
      }
    }
  }
}

TEST(CommandLineNames, ItsOwnSocketCountsMore) {
  const auto other = guests + other_id + "/ch.sock";
  EXPECT_EQ(named_socket(command_line({"vmm", other, path}), path), NamedSocket::of_this_vm);
  EXPECT_EQ(named_socket(command_line({"vmm", path, other}), path), NamedSocket::of_this_vm);
}

TEST(CommandLineNames, NoOtherFileOfAnotherVm) {
  for (const auto& argument :
       {guests + other_id + "/overlay.raw", guests + other_id + "/deep/ch.sock",
        guests + other_id + ".sock", guests + "Not-An-Id/ch.sock", guests + "/ch.sock",
        "x" + other_directory + "ch.sock", "/other/guests/" + other_id + "/ch.sock",
        guests + "qilviffnqzck2jrim1x6s2b1/serial.sock"}) {
    EXPECT_EQ(named_socket(command_line({"vmm", argument}), path), NamedSocket::none) << argument;
  }
}

TEST(CommandLineNames, NoSocketOfAnotherVmIfThePathHasNoInstanceId) {
  EXPECT_EQ(named_socket(command_line({"vmm", "/run/ab/y.sock"}), "/x.sock"), NamedSocket::none);
  EXPECT_EQ(named_socket(command_line({"vmm", "/y.sock"}), "/x.sock"), NamedSocket::none);
}

TEST(ProcPidCmdline, IsReadFromARealProcess) {
  const UniqueFd fd{::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(SocketSearch{path}.read_proc_pid_cmdline(fd.get()), NamedSocket::none);
}

TEST(ProcPidCmdline, IsReadToItsEndWithinTheLimit) {
  const std::string padding(SocketSearch::max_command_line_bytes - path.size() - 2, 'x');
  EXPECT_TRUE(command_line_names(command_line({padding, path}), path));
}

TEST(ProcPidCmdline, BeyondTheLimitIsRefused) {
  const UniqueFd fd{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(error_of(SocketSearch{path}.read_proc_pid_cmdline(fd.get())), EFBIG);
}

}  // namespace
}  // namespace hypeman::tests
