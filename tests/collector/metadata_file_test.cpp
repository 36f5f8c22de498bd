#include "collector/hypeman/metadata_file.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/test_host.hpp"
#include "tests/support/held_file.hpp"
#include "tests/support/privileges.hpp"

namespace hypeman::tests {
namespace {

using collector::MetadataFile;
namespace filesystem = std::filesystem;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

/// After this time, a change is visible in the file times on every file system.
constexpr std::time_t settled_after = 4;

MetadataFile metadata_file(const TestHost& host) {
  return {host.host().guests, *host.host().logger, host.host().clock, std::string{first_id}};
}

/// An instance "web" in its own data directory.
class MetadataFileTest : public ::testing::Test {
 protected:
  MetadataFileTest() { data().write(record("web")); }

  [[nodiscard]] static InstanceRecord record(const std::string& name) {
    return {.id = std::string{first_id}, .name = name};
  }

  [[nodiscard]] const DataDirectory& data() const { return host_.data(); }
  [[nodiscard]] filesystem::path directory() const { return data().instance(first_id); }
  [[nodiscard]] filesystem::path path() const { return data().metadata(first_id); }
  [[nodiscard]] const TestHost& host() const { return host_; }

  /// The name in the current metadata, or the error.
  [[nodiscard]] std::string name() {
    const auto metadata = file_.read();
    return metadata ? (*metadata)->name : metadata.error().message();
  }
  [[nodiscard]] int error() { return error_of(file_.read()); }
  [[nodiscard]] MetadataFile& file() { return file_; }
  void let_file_times_settle() { clock_offset_ += settled_after; }

  /// `make` creates something else instead of metadata.json, which was never valid.
  template <class Make>
  void expect_never_shown(Make make) {
    filesystem::remove(path());
    make(path());
    for (int attempt = 0; attempt < 3; ++attempt) {
      EXPECT_EQ(error(), EBADMSG);
    }
    EXPECT_EQ(host_.logged_lines(), 1U) << host_.log();
    EXPECT_NE(host_.log().find(first_id), std::string::npos) << host_.log();
  }

 private:
  TestHost host_;
  std::time_t clock_offset_ = 0;
  collector::SecondsClock clock_ = [this] { return collector::seconds_now() + clock_offset_; };
  MetadataFile file_{host_.host().guests, *host_.host().logger, clock_, std::string{first_id}};
};

TEST_F(MetadataFileTest, ReadsAValidFile) {
  EXPECT_EQ(name(), "web");
  EXPECT_EQ(host().log(), "");
}

TEST_F(MetadataFileTest, ProcessBelongsToTheOwnerOfTheDirectory) {
  auto running = record("web");
  running.pid = 4711;
  data().write(running);
  EXPECT_EQ(file().read().value()->process->owner, ::geteuid());
  if (constexpr uid_t other = 1234; ::chown(directory().c_str(), other, other) == 0) {
    data().write(running);
    EXPECT_EQ(file().read().value()->process->owner, other);
  }
}

TEST_F(MetadataFileTest, SeesARenameAtOnce) {
  for (int version = 0; version < 100; ++version) {
    const auto expected = "web-" + std::to_string(version);
    data().write(record(expected));
    ASSERT_EQ(name(), expected);
  }
}

TEST_F(MetadataFileTest, SeesARewriteOfEqualLengthWithinOneTimerTick) {
  for (int version = 100; version < 400; ++version) {
    const auto expected = "web-" + std::to_string(version);
    data().write_in_place(first_id, metadata_json(record(expected)));
    ASSERT_EQ(name(), expected);
  }
}

TEST_F(MetadataFileTest, SeesARewriteWhoseModificationTimeIsSetBack) {
  ASSERT_EQ(name(), "web");
  const auto modified = filesystem::last_write_time(path());
  data().write_in_place(first_id, metadata_json(record("bew")));
  filesystem::last_write_time(path(), modified);
  EXPECT_EQ(name(), "bew");
}

TEST_F(MetadataFileTest, ParsesAnUnchangedFileOnlyOnce) {
  let_file_times_settle();
  const auto first = file().read();
  ASSERT_TRUE(first);
  const auto second = file().read();
  ASSERT_TRUE(second);
  EXPECT_EQ(first->get(), second->get());

  data().write_in_place(first_id, metadata_json(record("bew")));
  EXPECT_EQ(name(), "bew");
  data().write(record("wbe"));
  EXPECT_EQ(name(), "wbe");
}

TEST_F(MetadataFileTest, AnUnchangedFileIsShownDuringAForkButNotAfterADeletion) {
  let_file_times_settle();
  ASSERT_EQ(name(), "web");
  const auto renamed = renamed_by_fork(directory());
  filesystem::rename(directory(), renamed);
  EXPECT_EQ(name(), "web");
  filesystem::create_directory_symlink(renamed, directory());
  EXPECT_EQ(name(), "web");
  filesystem::remove(directory());
  EXPECT_EQ(name(), "web");
  filesystem::remove_all(renamed);
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, ABrokenFileShowsItsLastGoodContent) {
  ASSERT_EQ(name(), "web");
  const auto good = metadata_json(record("new"));
  for (const auto& broken : {std::string{}, good.substr(0, good.size() / 2), good + "}",
                             std::string(good.size(), '\0'), std::string{"{}"}}) {
    data().write_in_place(first_id, broken);
    EXPECT_EQ(name(), "web") << broken;
  }
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
  data().write_in_place(first_id, good);
  EXPECT_EQ(name(), "new");
}

TEST_F(MetadataFileTest, AFileThatBreaksAgainIsLoggedAgain) {
  ASSERT_EQ(name(), "web");
  for (std::size_t times = 1; times <= 3; ++times) {
    data().write_in_place(first_id, "{");
    EXPECT_EQ(name(), "web");
    EXPECT_EQ(name(), "web");
    EXPECT_EQ(host().logged_lines(), times) << host().log();
    data().write(record("web"));
    EXPECT_EQ(name(), "web");
  }
}

TEST_F(MetadataFileTest, AFileThatWasNeverGoodIsNotAnInstanceAndIsLoggedOnce) {
  expect_never_shown([&](const auto& /*path*/) { data().write_in_place(first_id, "{\"Id\": "); });
  data().write_in_place(first_id, "something else");
  EXPECT_EQ(error(), EBADMSG);
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
}

TEST_F(MetadataFileTest, AFileThatBecomesGoodIsAnInstance) {
  data().write_in_place(first_id, "{");
  ASSERT_EQ(error(), EBADMSG);
  data().write(record("web"));
  EXPECT_EQ(name(), "web");
}

TEST_F(MetadataFileTest, TheLogNeverQuotesTheFile) {
  auto text = metadata_json(record("web"));
  data().write_in_place(first_id, text.substr(0, text.find(secret) + secret.size()));
  EXPECT_EQ(error(), EBADMSG);
  EXPECT_EQ(host().logged_lines(), 1U);
  EXPECT_EQ(host().log().find(secret), std::string::npos) << host().log();
}

TEST_F(MetadataFileTest, TheFileOfAnotherInstanceIsIgnoredWithoutALogLine) {
  data().write_text(first_id, metadata_json({.id = std::string{second_id}}));
  EXPECT_EQ(error(), EBADMSG);
  EXPECT_EQ(host().log(), "");
  data().write(record("fork"));
  EXPECT_EQ(name(), "fork");
}

TEST_F(MetadataFileTest, TheFileOfAnotherInstanceDoesNotReplaceTheRecord) {
  ASSERT_EQ(name(), "web");
  data().write_text(first_id, metadata_json({.id = std::string{second_id}, .name = "other"}));
  EXPECT_EQ(name(), "web");
}

TEST_F(MetadataFileTest, PendingDeleteHidesAtOnce) {
  ASSERT_EQ(name(), "web");
  auto pending = record("web");
  pending.pending_delete_at = "2026-01-02T03:04:05Z";
  data().write(pending);
  EXPECT_EQ(error(), EBADMSG);
  EXPECT_EQ(host().log(), "");
  data().write_in_place(first_id, "{");
  EXPECT_EQ(error(), EBADMSG);
  data().write(record("undeleted"));
  EXPECT_EQ(name(), "undeleted");
}

TEST_F(MetadataFileTest, ARemovedDirectoryIsGoneAtOnceAndMayComeBack) {
  ASSERT_EQ(name(), "web");
  data().remove(first_id);
  EXPECT_EQ(error(), ENOENT);
  EXPECT_EQ(host().log(), "");
  data().write(record("again"));
  EXPECT_EQ(name(), "again");
}

TEST_F(MetadataFileTest, ARemovedFileIsGoneAtOnce) {
  ASSERT_EQ(name(), "web");
  filesystem::remove(path());
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, ARemovalForgetsTheOldRecord) {
  ASSERT_EQ(name(), "web");
  data().remove(first_id);
  ASSERT_EQ(error(), ENOENT);
  data().write_in_place(first_id, "{");
  EXPECT_EQ(error(), EBADMSG);
}

TEST_F(MetadataFileTest, AFileInsteadOfTheDirectoryIsNotAnInstance) {
  ASSERT_EQ(name(), "web");
  data().remove(first_id);
  const UniqueFd file{::open(directory().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, TheRenameForAForkIsNotADeletion) {
  ASSERT_EQ(name(), "web");
  const auto renamed = renamed_by_fork(directory());
  filesystem::rename(directory(), renamed);
  EXPECT_EQ(name(), "web");
  filesystem::create_directory_symlink(renamed, directory());
  EXPECT_EQ(name(), "web");
  filesystem::remove(directory());
  filesystem::rename(renamed, directory());
  EXPECT_EQ(name(), "web");
  EXPECT_EQ(host().log(), "");
}

TEST_F(MetadataFileTest, AForkOfALongerIdIsADeletion) {
  ASSERT_EQ(name(), "web");
  filesystem::rename(directory(), renamed_by_fork(directory().string() + "x"));
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, AForkShowsAlsoAnInstanceThatWasNeverRead) {
  const auto renamed = renamed_by_fork(directory());
  filesystem::rename(directory(), renamed);
  EXPECT_EQ(error(), ENOENT) << "without a link it would take a listing to know more";
  filesystem::create_directory_symlink(renamed, directory());
  EXPECT_EQ(name(), "web");
  filesystem::remove_all(renamed);
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, AListingThatShowsAForkShowsAnInstanceThatWasNeverRead) {
  filesystem::rename(directory(), renamed_by_fork(directory()));
  const auto record = file().read(collector::GuestDirectory::Kind::renamed);
  ASSERT_TRUE(record);
  EXPECT_EQ((*record)->name, "web");
}

TEST_F(MetadataFileTest, AForkThatHasEndedAfterItsListingIsNoDeletion) {
  const auto record = file().read(collector::GuestDirectory::Kind::renamed);
  ASSERT_TRUE(record);
  EXPECT_EQ((*record)->name, "web");
}

TEST_F(MetadataFileTest, ALinkInPlaceOfARenamedDirectoryKeepsNoInstance) {
  ASSERT_EQ(name(), "web");
  const auto elsewhere = data().path() / "elsewhere";
  filesystem::rename(directory(), elsewhere);
  filesystem::create_directory_symlink(elsewhere, renamed_by_fork(directory()));
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, ASymlinkToADirectoryIsNotAnInstance) {
  const auto elsewhere = data().path() / "elsewhere";
  filesystem::rename(directory(), elsewhere);
  filesystem::create_directory_symlink(elsewhere, directory());
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, ADirectoryThatBecomesASymlinkIsNotAnInstance) {
  ASSERT_EQ(name(), "web");
  const auto elsewhere = data().path() / "elsewhere";
  filesystem::rename(directory(), elsewhere);
  filesystem::create_directory_symlink(elsewhere, directory());
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, ASymlinkIsNotFollowed) {
  const auto target = data().path() / "target.json";
  filesystem::rename(path(), target);
  expect_never_shown([&](const auto& at) { filesystem::create_symlink(target, at); });
}

TEST_F(MetadataFileTest, ADanglingSymlinkIsNotFollowed) {
  expect_never_shown([](const auto& at) { filesystem::create_symlink("/no/such/file", at); });
}

TEST_F(MetadataFileTest, AFifoDoesNotBlock) {
  expect_never_shown([](const auto& at) { ASSERT_EQ(::mkfifo(at.c_str(), 0644), 0); });
}

TEST_F(MetadataFileTest, ADirectoryIsNotRead) {
  expect_never_shown([](const auto& at) { filesystem::create_directory(at); });
}

TEST_F(MetadataFileTest, ASocketIsNotRead) {
  expect_never_shown([](const auto& at) {
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(&address.sun_path[0], at.c_str(), at.native().size());
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
        << std::strerror(errno);
  });
}

TEST_F(MetadataFileTest, AFifoInsteadOfAGoodFileShowsItsLastGoodContent) {
  ASSERT_EQ(name(), "web");
  filesystem::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0644), 0);
  EXPECT_EQ(name(), "web");
  EXPECT_EQ(name(), "web");
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
}

TEST_F(MetadataFileTest, AFileOfOneMebibyteIsRead) {
  auto text = metadata_json(record("large"));
  text += std::string(mebibyte - text.size(), ' ');
  data().write_text(first_id, text);
  EXPECT_EQ(name(), "large");
}

TEST_F(MetadataFileTest, ALargerFileIsNotRead) {
  expect_never_shown([&](const auto& /*path*/) {
    auto text = metadata_json(record("large"));
    text += std::string(mebibyte + 1 - text.size(), ' ');
    data().write_text(first_id, text);
  });
}

TEST_F(MetadataFileTest, AGigabyteIsRefusedWithoutReadingIt) {
  const auto started = std::chrono::steady_clock::now();
  expect_never_shown([](const auto& at) {
    const UniqueFd file{::open(at.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
    filesystem::resize_file(at, std::uintmax_t{8} << 30U);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{2});
}

class MetadataFileDevice : public EndToEndTest {};

TEST_F(MetadataFileDevice, IsNotOpened) {
  const TestHost host;
  filesystem::create_directory(host.data().instance(first_id));
  const dev_t device = makedev(1, 5);  // /dev/zero, which has no end
  ASSERT_EQ(::mknod(host.data().metadata(first_id).c_str(), S_IFCHR | 0644, device), 0);
  auto file = metadata_file(host);
  EXPECT_EQ(error_of(file.read()), EBADMSG);
  EXPECT_EQ(host.logged_lines(), 1U);
}

/// A file system that changes file times only with each timer tick. Newer kernels do not wait for
/// the tick on ext4, XFS, Btrfs and tmpfs.
class CoarseFileTimes {
 public:
  explicit CoarseFileTimes(filesystem::path mountpoint) : mountpoint_{std::move(mountpoint)} {
    EXPECT_EQ(::mount("ramfs", mountpoint_.c_str(), "ramfs", 0, nullptr), 0)
        << std::strerror(errno);
  }
  CoarseFileTimes(const CoarseFileTimes&) = delete;
  CoarseFileTimes& operator=(const CoarseFileTimes&) = delete;
  CoarseFileTimes(CoarseFileTimes&&) = delete;
  CoarseFileTimes& operator=(CoarseFileTimes&&) = delete;
  ~CoarseFileTimes() { EXPECT_EQ(::umount2(mountpoint_.c_str(), MNT_DETACH), 0); }

 private:
  filesystem::path mountpoint_;
};

class RecentMetadataFile : public EndToEndTest {};

TEST_F(RecentMetadataFile, IsReadAgainThoughItsTimesAreTheSame) {
  const TestHost host;
  const CoarseFileTimes coarse{host.data().guests()};
  InstanceRecord record{.id = std::string{first_id}, .name = "web"};
  host.data().write(record);
  auto file = metadata_file(host);
  ASSERT_TRUE(file.read());
  const auto changed = [&] {
    struct stat status {};
    EXPECT_EQ(::lstat(host.data().metadata(first_id).c_str(), &status), 0);
    return std::pair{status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
  };
  int with_equal_times = 0;
  for (int attempt = 0; attempt < 10'000 && with_equal_times < 10; ++attempt) {
    const auto before = changed();
    record.name = record.name == "web" ? "bew" : "web";
    host.data().write_in_place(first_id, metadata_json(record));
    with_equal_times += changed() == before ? 1 : 0;
    ASSERT_EQ(file.read().value()->name, record.name);
  }
  EXPECT_EQ(with_equal_times, 10);
}

class SlowMetadataFile : public EndToEndTest {};

TEST_F(SlowMetadataFile, AnOlderReadingDoesNotReplaceANewerOne) {
  const TestHost host;
  InstanceRecord record{.id = std::string{first_id}, .name = "older"};
  host.data().write(record);
  auto file = metadata_file(host);
  std::jthread slow;  // ends after `older`, which holds it up
  std::optional<HeldFile> older{std::in_place, host.data().metadata(first_id),
                                HeldFile::Call::open};
  slow = std::jthread{[&] { EXPECT_TRUE(file.read()); }};
  EXPECT_GT(older->await_call(), 0);
  record.name = "newer";
  host.data().write(record);
  EXPECT_EQ(file.read().value()->name, "newer");

  older.reset();
  slow.join();
  EXPECT_EQ(file.last_record()->name, "newer");
}

/// Runs the test as "nobody", because root may read everything.
class ActAsNobody {
 public:
  ActAsNobody() { EXPECT_EQ(::seteuid(nobody), 0); }
  ActAsNobody(const ActAsNobody&) = delete;
  ActAsNobody& operator=(const ActAsNobody&) = delete;
  ActAsNobody(ActAsNobody&&) = delete;
  ActAsNobody& operator=(ActAsNobody&&) = delete;
  ~ActAsNobody() { EXPECT_EQ(::seteuid(0), 0); }

 private:
  static constexpr uid_t nobody = 65534;
};

class UnreadableMetadataFile : public EndToEndTest {};

TEST_F(UnreadableMetadataFile, FailsWithTheReasonAndIsLoggedOnce) {
  const TestHost host;
  host.data().write({.id = std::string{first_id}});
  filesystem::permissions(host.data().metadata(first_id), filesystem::perms::none);
  auto file = metadata_file(host);
  {
    const ActAsNobody unprivileged;
    EXPECT_EQ(error_of(file.read()), EACCES);
    EXPECT_EQ(error_of(file.read()), EACCES);
  }
  EXPECT_EQ(host.logged_lines(), 1U) << host.log();
  EXPECT_EQ(error_of(file.read()), 0) << "readable again";
}

TEST_F(UnreadableMetadataFile, ShowsItsLastGoodContent) {
  const TestHost host;
  host.data().write({.id = std::string{first_id}, .name = "web"});
  auto file = metadata_file(host);
  ASSERT_TRUE(file.read());
  filesystem::permissions(host.data().metadata(first_id), filesystem::perms::none);
  const ActAsNobody unprivileged;
  const auto metadata = file.read();
  ASSERT_TRUE(metadata) << metadata.error().message();
  EXPECT_EQ((*metadata)->name, "web");
}

TEST_F(UnreadableMetadataFile, ADirectoryThatCannotBeSearchedIsNotADeletion) {
  const TestHost host;
  host.data().write({.id = std::string{first_id}, .name = "web"});
  auto file = metadata_file(host);
  ASSERT_TRUE(file.read());
  filesystem::permissions(host.data().instance(first_id), filesystem::perms::none);
  const ActAsNobody unprivileged;
  EXPECT_EQ(error_of(file.read()), 0);
}

TEST_F(MetadataFileTest, AnUnchangedFileBehindANewSymlinkIsNotAnInstance) {
  let_file_times_settle();
  ASSERT_EQ(name(), "web");
  const auto elsewhere = data().path() / "elsewhere";
  filesystem::rename(directory(), elsewhere);
  filesystem::create_directory_symlink(elsewhere, directory());
  EXPECT_EQ(error(), ENOENT);
}

TEST_F(MetadataFileTest, GuestsCanBeASymlink) {
  const auto elsewhere = data().path() / "elsewhere";
  filesystem::rename(data().guests(), elsewhere);
  filesystem::create_directory_symlink(elsewhere, data().guests());
  EXPECT_EQ(name(), "web");
}

}  // namespace
}  // namespace hypeman::tests
