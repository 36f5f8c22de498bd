#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

constexpr auto good_id = "qilviffnqzck2jrim1x6s2b1";
constexpr auto bad_id = "badinstancebadinstance01";

/// A good instance and a bad one. The good one must stay readable and the daemon must stay alive.
class HostileInput : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    data.write({.id = good_id});
    mount = std::make_unique<StatsMount>(data.path());
  }

  void expect_only_the_good_one() const {
    EXPECT_EQ(mount->value(good_id, "allocated_vcpus"), "2");
    EXPECT_EQ(mount->instances(), (std::vector<std::string>{good_id}));
    EXPECT_EQ(list(*mount / "by-name"), (std::vector<std::string>{"my-web-server"}));
    EXPECT_EQ(mount->read(bad_id, "stats.json").error, ENOENT);
  }

  void expect_rejected(const std::string& text) const {
    SCOPED_TRACE(text.substr(0, 200));
    data.write_text(bad_id, text);
    expect_only_the_good_one();
  }

  /// The record of the bad instance, with one value replaced by other JSON.
  static std::string with(const std::string& key, const std::string& value) {
    auto text = metadata_json({.id = bad_id, .name = "bad"});
    const auto line = "\n  \"" + key + "\": ";  // of the outermost object, not of Env
    const auto begin = text.find(line) + line.size();
    return text.replace(begin, text.find('\n', begin) - 1 - begin, value);
  }

  [[nodiscard]] std::size_t logged(const std::string& text) const {
    const auto log = mount->log();
    std::size_t count = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
      ++count;
    }
    return count;
  }

  DataDirectory data;
  std::unique_ptr<StatsMount> mount;
};

TEST_F(HostileInput, TextThatIsNotMetadata) {
  for (const auto* const text :
       {"", "{", "}", "null", "[]", "5", R"("Id")", "{}", R"({"Id": 5})", R"({"Id": null})",
        "\xff\xfe", R"({"Id": "badinstancebadinstance01"} x)", R"({"Id": "../../etc"})",
        "not JSON at all"}) {
    expect_rejected(text);
  }
}

TEST_F(HostileInput, ValuesOfWrongTypesAndAbsurdNumbers) {
  for (const auto* const key : {"Size", "HotplugSize", "Vcpus", "HypervisorPID"}) {
    for (const auto* const value : {"\"1\"", "-1", "1.5", "1e30", "1e400", "true", "[]", "{}",
                                    "18446744073709551616", "99999999999999999999999999"}) {
      expect_rejected(with(key, value));
    }
  }
  expect_rejected(with("Size", "18446744073709551615"));
  expect_rejected(with("NetworkEnabled", "1"));
  expect_rejected(with("Name", "{}"));
  expect_rejected(with("SocketPath", "[\"/a\"]"));
}

TEST_F(HostileInput, DeepNesting) {
  const std::size_t depth = 400000;
  expect_rejected(with("Image", std::string(depth, '[')));
  expect_rejected(with("Name", std::string(depth, '[') + std::string(depth, ']')));
  // Well-formed, and in a key that the daemon does not use.
  data.write_text(bad_id, with("Image", std::string(depth, '[') + std::string(depth, ']')));
  EXPECT_EQ(mount->value(bad_id, "allocated_vcpus"), "2");
  EXPECT_EQ(mount->value(good_id, "allocated_vcpus"), "2");
}

TEST_F(HostileInput, HugeFile) {
  std::filesystem::create_directory(data.instance(bad_id));
  std::ofstream{data.metadata(bad_id)} << metadata_json({.id = bad_id});
  std::filesystem::resize_file(data.metadata(bad_id), std::uintmax_t{8} << 30U);
  expect_only_the_good_one();
}

TEST_F(HostileInput, HugeName) {
  expect_rejected(with("Name", '"' + std::string(60000, 'a') + '"'));
}

TEST_F(HostileInput, InvalidNamesAreShownButHaveNoLink) {
  for (const auto* const name : {"../../etc/passwd", "a/b", ".", "..", "", "UPPER", "a b", "-a",
                                 "a-", "\xc3\xbc", "$(reboot)"}) {
    data.write({.id = bad_id, .name = name});
    EXPECT_EQ(mount->value(bad_id, "instance_name"), name);
    EXPECT_EQ(list(*mount / "by-name"), (std::vector<std::string>{"my-web-server"})) << name;
  }
}

TEST_F(HostileInput, NameWithControlCharactersStaysOneLine) {
  data.write({.id = bad_id, .name = "two\nlines\t\x7f\\"});
  EXPECT_EQ(mount->read(bad_id, "instance_name").text, "two\\012lines\\011\\177\\134\n");
  EXPECT_NE(mount->read(bad_id, "stats.json").text.find(R"("two\nlines\t)"), std::string::npos);
}

TEST_F(HostileInput, DirectoriesWithoutMetadataOrWithStrangeNames) {
  for (const auto* const name : {"badinstancebadinstance01", "by-name", "metrics.prom",
                                 "instances.json", "summary", "UPPERCASE", "..fork", "a b",
                                 "new\nline", "-rf", "1startswithadigit", "a", "metadata.json"}) {
    std::filesystem::create_directory(data.guests() / name);
    std::ofstream{data.guests() / name / "metadata.json"}
        << metadata_json({.id = name, .name = "strange"})
               .substr(0, name == std::string{bad_id} ? 0 : 100000);
    expect_only_the_good_one();
  }
}

TEST_F(HostileInput, FileInsteadOfTheDirectory) {
  std::ofstream{data.instance(bad_id)} << "x";
  expect_only_the_good_one();
}

TEST_F(HostileInput, SymlinkInsteadOfTheDirectory) {
  DataDirectory outside;
  outside.write({.id = bad_id, .name = "outside"});
  std::filesystem::create_directory_symlink(outside.instance(bad_id), data.instance(bad_id));
  expect_only_the_good_one();
  std::filesystem::remove(data.instance(bad_id));
  std::filesystem::create_directory_symlink(bad_id, data.instance(bad_id));
  expect_only_the_good_one();
}

TEST_F(HostileInput, SymlinkInsteadOfTheFile) {
  DataDirectory outside;
  outside.write({.id = bad_id, .name = "outside"});
  std::filesystem::create_directory(data.instance(bad_id));
  for (const auto& target :
       {outside.metadata(bad_id), std::filesystem::path{"metadata.json"},
        std::filesystem::path{"/dev/zero"}, std::filesystem::path{"/nowhere"}}) {
    std::filesystem::create_symlink(target, data.metadata(bad_id));
    expect_only_the_good_one();
    std::filesystem::remove(data.metadata(bad_id));
  }
}

TEST_F(HostileInput, FifosDevicesSocketsAndDirectoriesInsteadOfTheFile) {
  std::filesystem::create_directory(data.instance(bad_id));
  const auto path = data.metadata(bad_id);
  for (const auto& [mode, device] :
       {std::pair{S_IFIFO, dev_t{0}}, std::pair{S_IFCHR, ::makedev(1, 5)},
        std::pair{S_IFCHR, ::makedev(1, 3)}, std::pair{S_IFSOCK, dev_t{0}}}) {
    ASSERT_EQ(::mknod(path.c_str(), static_cast<mode_t>(mode) | 0666U, device), 0);
    expect_only_the_good_one();
    std::filesystem::remove(path);
  }
  std::filesystem::create_directory(path);
  expect_only_the_good_one();
}

TEST_F(HostileInput, GoodInstanceShowsItsLastContentIfItsFileIsReplaced) {
  data.write({.id = bad_id, .name = "bad", .vcpus = 9});
  ASSERT_EQ(mount->value(bad_id, "allocated_vcpus"), "9");
  data.write_text(bad_id, "{");
  EXPECT_EQ(mount->value(bad_id, "allocated_vcpus"), "9");
  std::filesystem::remove(data.metadata(bad_id));
  ASSERT_EQ(::mkfifo(data.metadata(bad_id).c_str(), 0666), 0);
  EXPECT_EQ(mount->value(bad_id, "allocated_vcpus"), "9");
  EXPECT_EQ(mount->value(good_id, "allocated_vcpus"), "2");
}

TEST_F(HostileInput, FileOfAnotherInstance) {
  expect_rejected(metadata_json({.id = good_id, .name = "copy", .vcpus = 77}));
  EXPECT_EQ(logged(bad_id), 0U) << "a fork leaves such a file for a moment; it is no news";
}

TEST_F(HostileInput, ForkBackupsAreNotInstances) {
  std::filesystem::copy(data.instance(good_id), renamed_by_fork(data.instance(good_id)));
  expect_only_the_good_one();
}

TEST_F(HostileInput, BrokenFileIsLoggedOnceWithoutItsContent) {
  data.write_text(bad_id, R"({"Env": {"TOKEN": ")" + std::string{secret} + R"("}, )");
  for (int round = 0; round < 5; ++round) {
    expect_only_the_good_one();
  }
  EXPECT_TRUE(eventually([&] { return logged(bad_id) > 0; })) << mount->log();
  EXPECT_EQ(logged("warning"), 1U) << mount->log();
  EXPECT_EQ(logged(std::string{secret}), 0U) << mount->log();
}

TEST_F(HostileInput, ProcessesThatAreNotTheHypervisor) {
  for (const pid_t pid : {1, 2, ::getpid(), 4194304}) {
    data.write({.id = bad_id, .name = "bad", .pid = pid, .socket_path = data.socket(bad_id)});
    EXPECT_EQ(mount->value(bad_id, "memory_rss_bytes"), "0") << pid;
  }
  for (const auto* const socket : {"", "/", ".", "sh", "--api-socket"}) {
    data.write({.id = bad_id, .name = "bad", .pid = ::getpid(), .socket_path = socket});
    EXPECT_EQ(mount->value(bad_id, "memory_rss_bytes"), "0") << socket;
  }
}

TEST_F(HostileInput, InstancesThatChangeWhileTheyAreRead) {
  const std::string come_and_go = R"(
    cd "$1"
    for n in $(seq 300); do
      mkdir -p "$2"
      echo '{' > "$2/metadata.json"
      printf '{"Id":"%s","Name":"bad"}' "$2" > "$2/metadata.json"
      rm -r "$2"
    done)";
  const std::string read_everything = R"(
    for n in $(seq 300); do
      ls -R "$1"
      cat "$1"/*/stats.json
    done > /dev/null 2>&1)";
  const auto churn =
      ChildProcess::spawn({"/bin/sh", "-c", come_and_go, "sh", data.guests(), bad_id});
  auto child = ChildProcess::spawn({"/bin/sh", "-c", read_everything, "sh", mount->path()});
  EXPECT_TRUE(child.wait(std::chrono::seconds{60}));
  EXPECT_EQ(mount->value(good_id, "allocated_vcpus"), "2");
}

}  // namespace
}  // namespace hypeman::tests
