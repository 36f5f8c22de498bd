#include "fs/daemon/options.hpp"

#include <grp.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <sysexits.h>

namespace hypeman::tests {
namespace {

using fs::Exit;
using fs::Options;
using fs::parse_command_line;

std::variant<Options, Exit> parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "hypeman-statsfs");
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (auto& argument : arguments) {
    pointers.push_back(argument.data());
  }
  return parse_command_line(pointers);
}

/// The options of a valid command line.
Options options(std::vector<std::string> arguments) {
  auto parsed = parse(std::move(arguments));
  if (const auto* const exit = std::get_if<Exit>(&parsed)) {
    ADD_FAILURE() << exit->text;
    return {};
  }
  return std::get<Options>(parsed);
}

/// The message for a wrong command line.
std::string usage_error(std::vector<std::string> arguments) {
  const auto parsed = parse(std::move(arguments));
  const auto* const exit = std::get_if<Exit>(&parsed);
  if (exit == nullptr) {
    ADD_FAILURE() << "the command line was accepted";
    return {};
  }
  EXPECT_EQ(exit->status, EX_USAGE);
  EXPECT_EQ(exit->text.rfind("hypeman-statsfs: ", 0), 0U) << exit->text;
  EXPECT_EQ(std::ranges::count(exit->text, '\n'), 1) << exit->text;
  EXPECT_TRUE(exit->text.ends_with('\n')) << exit->text;
  return exit->text;
}

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

TEST(Options, DefaultsAreHypemansPaths) {
  const auto parsed = options({});
  EXPECT_EQ(parsed.data_dir, "/var/lib/hypeman");
  EXPECT_EQ(parsed.mountpoint, "/run/hypeman/stats");
  EXPECT_FALSE(parsed.foreground);
  EXPECT_EQ(parsed.access.file_mode, 0444U);
  EXPECT_EQ(parsed.access.group, 0U);
}

TEST(Options, TheDataDirectoryComesBeforeTheMountpoint) {
  EXPECT_EQ(options({"/data"}).data_dir, "/data");
  EXPECT_EQ(options({"/data"}).mountpoint, "/run/hypeman/stats");
  EXPECT_EQ(options({"/data", "/mnt"}).data_dir, "/data");
  EXPECT_EQ(options({"/data", "/mnt"}).mountpoint, "/mnt");
}

TEST(Options, AcceptsTheArgumentsOfMount) {
  const auto parsed =
      options({"/data", "/mnt", "-o", "rw,nosuid,nodev,noexec,relatime,_netdev,mode=0440,gid=12"});
  EXPECT_EQ(parsed.data_dir, "/data");
  EXPECT_EQ(parsed.mountpoint, "/mnt");
  EXPECT_EQ(parsed.access.file_mode, 0440U);
  EXPECT_EQ(parsed.access.group, 12U);
  EXPECT_FALSE(parsed.foreground);
}

TEST(Options, CanBeInAnyOrder) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"-f", "-o", "mode=0400", "/data", "/mnt"},
           {"/data", "-f", "-o", "mode=0400", "/mnt"},
           {"/data", "/mnt", "-omode=0400", "-f"},
           {"-o", "mode=0400", "/data", "-o", "foreground", "/mnt"}}) {
    const auto parsed = options(arguments);
    EXPECT_EQ(parsed.data_dir, "/data");
    EXPECT_EQ(parsed.mountpoint, "/mnt");
    EXPECT_TRUE(parsed.foreground);
    EXPECT_EQ(parsed.access.file_mode, 0400U);
  }
}

TEST(Options, ForegroundHasThreeSpellings) {
  EXPECT_TRUE(options({"-f"}).foreground);
  EXPECT_TRUE(options({"--foreground"}).foreground);
  EXPECT_TRUE(options({"-o", "foreground"}).foreground);
}

TEST(Options, ModesCanOnlyRestrict) {
  EXPECT_EQ(options({"-o", "mode=0444"}).access.file_mode, 0444U);
  EXPECT_EQ(options({"-o", "mode=444"}).access.file_mode, 0444U);
  EXPECT_EQ(options({"-o", "mode=0440"}).access.file_mode, 0440U);
  EXPECT_EQ(options({"-o", "mode=0400"}).access.file_mode, 0400U);
  for (const std::string mode : {"0644", "0555", "0777", "04444", "0", "0044", "", "rw", "0x124",
                                 "-0444", "0444 ", "444x", "u=r", "99999999999999999999"}) {
    EXPECT_TRUE(contains(usage_error({"-o", "mode=" + mode}), "mode=" + mode)) << mode;
  }
}

TEST(Options, GroupsAreNumbersOrNames) {
  EXPECT_EQ(options({"-o", "gid=0"}).access.group, 0U);
  EXPECT_EQ(options({"-o", "gid=4242"}).access.group, 4242U);
  const auto* const daemon = ::getgrnam("daemon");
  ASSERT_NE(daemon, nullptr);
  const auto gid = daemon->gr_gid;
  EXPECT_EQ(options({"-o", "gid=daemon"}).access.group, gid);
  for (const std::string group : {"", "-1", "no-such-group", "1.5", "4294967296", "0x10"}) {
    EXPECT_TRUE(contains(usage_error({"-o", "gid=" + group}), "gid=" + group)) << group;
  }
}

TEST(Options, TheLastOfConflictingOptionsWins) {
  EXPECT_EQ(options({"-o", "mode=0400", "-o", "mode=0440"}).access.file_mode, 0440U);
  EXPECT_EQ(options({"-o", "gid=1,gid=2"}).access.group, 2U);
}

TEST(Options, RunAsIsAnExistingUser) {
  EXPECT_FALSE(options({}).run_as);
  const auto user = options({"-o", "run_as=root"}).run_as;
  ASSERT_TRUE(user);
  EXPECT_EQ(user->name, "root");
  EXPECT_EQ(user->uid, 0U);
  for (const std::string name : {"nosuchuser", "", "0"}) {
    EXPECT_TRUE(contains(usage_error({"-o", "run_as=" + name}), "run_as=" + name)) << name;
  }
}

TEST(Options, IoUringIsAutomaticUnlessItIsSwitchedOnOrOff) {
  using fs::TransportChoice;
  EXPECT_EQ(options({}).transport, TransportChoice::automatic);
  EXPECT_EQ(options({"-o", "io_uring=auto"}).transport, TransportChoice::automatic);
  EXPECT_EQ(options({"-o", "io_uring=on"}).transport, TransportChoice::io_uring);
  EXPECT_EQ(options({"-o", "ro,io_uring=off"}).transport, TransportChoice::classic);
  for (const std::string choice : {"", "yes", "ON", "on "}) {
    EXPECT_TRUE(contains(usage_error({"-o", "io_uring=" + choice}), "use auto, on or off"))
        << choice;
  }
}

TEST(Options, UserIsAnOptionOfMount) {
  // In fstab(5), "user" allows ordinary users to mount. It does not set the user of the worker.
  EXPECT_FALSE(options({"-o", "user"}).run_as);
  usage_error({"-o", "user=root"});
}

TEST(Options, RepeatedOptionsAddUp) {
  const auto parsed = options({"-o", "mode=0440", "-o", "gid=7", "-o", "nodev,nofail"});
  EXPECT_EQ(parsed.access.file_mode, 0440U);
  EXPECT_EQ(parsed.access.group, 7U);
}

TEST(Options, OptionsOfMountAndFstabAreIgnored) {
  for (const auto* option : {"ro",
                             "rw",
                             "dev",
                             "nodev",
                             "suid",
                             "nosuid",
                             "exec",
                             "noexec",
                             "atime",
                             "noatime",
                             "relatime",
                             "norelatime",
                             "strictatime",
                             "diratime",
                             "nodiratime",
                             "auto",
                             "noauto",
                             "user",
                             "nouser",
                             "users",
                             "defaults",
                             "_netdev",
                             "nofail",
                             "allow_other",
                             "default_permissions",
                             "x-systemd.automount",
                             "x-systemd.requires=hypeman.service",
                             "comment=statistics"}) {
    EXPECT_EQ(options({"/data", "/mnt", "-o", option}).mountpoint, "/mnt") << option;
  }
}

TEST(Options, ErrorNamesTheUnknownMountOption) {
  for (const std::string option : {"modes=0444", "mode", "gid", "uid=0", "nonsense", "ROOT"}) {
    EXPECT_TRUE(contains(usage_error({"-o", option}), option)) << option;
    EXPECT_TRUE(contains(usage_error({"-o", "ro," + option + ",nodev"}), option)) << option;
  }
}

TEST(Options, ErrorNamesTheUnexpectedArgument) {
  EXPECT_TRUE(contains(usage_error({"/data", "/mnt", "/third"}), "/third"));
  EXPECT_TRUE(contains(usage_error({"--nonsense"}), "--nonsense"));
  EXPECT_TRUE(contains(usage_error({"-x"}), "-x"));
}

TEST(Options, AnOptionWithoutAValueIsAnError) {
  EXPECT_TRUE(contains(usage_error({"/data", "/mnt", "-o"}), "-o"));
}

TEST(Options, HelpIsNotAnError) {
  const auto parsed = parse({"--help"});
  ASSERT_TRUE(std::holds_alternative<Exit>(parsed));
  const auto& exit = std::get<Exit>(parsed);
  EXPECT_EQ(exit.status, EX_OK);
  for (const auto* word : {"DATA_DIR", "MOUNTPOINT", "-f", "-o", "--version",
                           "mode=", "gid=", "run_as=", "io_uring="}) {
    EXPECT_TRUE(contains(exit.text, word)) << word;
  }
}

TEST(Options, VersionIsNotAnError) {
  const auto parsed = parse({"--version"});
  ASSERT_TRUE(std::holds_alternative<Exit>(parsed));
  const auto& exit = std::get<Exit>(parsed);
  EXPECT_EQ(exit.status, EX_OK);
  EXPECT_EQ(exit.text.rfind("hypeman-statsfs ", 0), 0U) << exit.text;
  EXPECT_EQ(std::ranges::count(exit.text, '\n'), 1) << exit.text;
}

}  // namespace
}  // namespace hypeman::tests
