#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include <dirent.h>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
const std::string other_id = own_instance_id('t');
const std::string tap_of_id = tap_of(id);

class Freshness : public EndToEndTest {
 protected:
  DataDirectory data;
};

std::string read_at(const UniqueFd& fd, off_t offset, std::size_t size = 4096) {
  std::string buffer(size, '\0');
  const auto length = ::pread(fd.get(), buffer.data(), size, offset);
  if (length < 0) {
    return "errno " + std::to_string(errno);
  }
  buffer.resize(static_cast<std::size_t>(length));
  return buffer;
}

UniqueFd open_file(const std::filesystem::path& path) {
  return UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

TEST_F(Freshness, NextReaderFindsANewInstance) {
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
  EXPECT_EQ(mount.read(id, "instance_name").error, ENOENT);

  data.write({.id = id});
  EXPECT_EQ(mount.value(id, "instance_name"), "my-web-server");
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{id}));

  data.write({.id = other_id, .name = "second"});
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{id, other_id}));
  EXPECT_EQ(list(mount / "by-name"), (std::vector<std::string>{"my-web-server", "second"}));
}

TEST_F(Freshness, NextReaderDoesNotFindARemovedInstance) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  ASSERT_EQ(list(mount / id).size(), 12U);
  ASSERT_EQ(mount.read(id, "stats.json").error, 0);
  const auto held = open_file(mount / id / "stats.json");
  const UniqueFd directory{::open((mount / id).c_str(), O_RDONLY | O_DIRECTORY)};

  data.remove(id);
  EXPECT_EQ(mount.read(id, "stats.json").error, ENOENT);
  EXPECT_EQ(::open((mount / id).c_str(), O_RDONLY | O_DIRECTORY), -1);
  EXPECT_EQ(errno, ENOENT);
  struct stat status {};
  EXPECT_EQ(::stat((mount / id).c_str(), &status), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(::openat(directory.get(), "stats.json", O_RDONLY), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
  EXPECT_EQ(list(mount / "by-name"), (std::vector<std::string>{}));
  EXPECT_EQ(read_at(held, 0), "errno " + std::to_string(ENOENT));

  data.write({.id = id});
  EXPECT_EQ(mount.read(id, "stats.json").error, 0);
  EXPECT_NE(read_at(held, 0).find(id), std::string::npos);
}

TEST_F(Freshness, NextReaderDoesNotFindAMovedInstance) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.read(id, "stats.json").error, 0);
  std::filesystem::rename(data.instance(id), data.path() / "elsewhere");
  EXPECT_EQ(mount.read(id, "stats.json").error, ENOENT);
}

TEST_F(Freshness, NextReadShowsAStopAndARestart) {
  const StatsMount mount{data.path()};
  for (int round = 0; round < 3; ++round) {
    const auto process = start_stand_in(data.socket(id));
    data.write(running_record(id, process.pid(), data.socket(id)));
    EXPECT_GT(mount.number(id, "memory_rss_bytes"), 0U);
    data.write({.id = id});
    EXPECT_EQ(mount.value(id, "memory_rss_bytes"), "0");
  }
}

TEST_F(Freshness, NextReadShowsMetadataWrittenInPlace) {
  const StatsMount mount{data.path()};
  // The texts have the same length. Many writes are within one tick of the file system's clock.
  for (int round = 0; round < 200; ++round) {
    const auto vcpus = 10U + static_cast<unsigned>(round % 80);
    data.write_in_place(id, metadata_json({.id = id, .vcpus = vcpus}));
    ASSERT_EQ(mount.number(id, "allocated_vcpus"), vcpus);
  }
}

TEST_F(Freshness, TruncatedMetadataShowsItsLastGoodContent) {
  data.write({.id = id, .vcpus = 3});
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.value(id, "allocated_vcpus"), "3");
  const auto whole = metadata_json({.id = id, .vcpus = 4});
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1}) {
    data.write_in_place(id, std::string_view{whole}.substr(0, size));
    EXPECT_EQ(mount.value(id, "allocated_vcpus"), "3") << size;
  }
  data.write_in_place(id, whole);
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "4");
}

TEST_F(Freshness, ReadAtOffsetZeroOfAnOpenFileTakesANewSample) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "network_tx_bytes");
  const auto json = open_file(mount / id / "stats.json");
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(read_at(fd, 0), std::to_string(round * 100) + "\n");
    EXPECT_NE(read_at(json, 0).find("\"network_tx_bytes\": " + std::to_string(round * 100) + ","),
              std::string::npos);
    tap.write_frame(experimental_frame(100));
  }
}

TEST_F(Freshness, ReadsAtLaterOffsetsContinueTheSample) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "network_tx_bytes");
  tap.write_frame(experimental_frame(123));
  ASSERT_EQ(read_at(fd, 0, 1), "1");
  tap.write_frame(experimental_frame(456));
  EXPECT_EQ(read_at(fd, 1), "23\n");
  EXPECT_EQ(read_at(fd, 4), "");
  EXPECT_EQ(read_at(fd, 400), "");
  EXPECT_EQ(read_at(fd, 0), "579\n");
}

TEST_F(Freshness, FstatAndTheNextReadAgreeWhileTheNumberGrows) {
  const auto process = start_stand_in(data.socket(id), /*busy=*/true);
  Tap tap{tap_of_id};
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "network_tx_bytes");

  std::jthread traffic{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      tap.write_frame(experimental_frame(60));
    }
  }};
  // The daemon keeps the answer to fstat(2) for 20 ms. A busy machine may take longer for a round.
  constexpr auto kept = std::chrono::milliseconds{15};
  int quick_rounds = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    struct stat status {};
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    const auto size = read_at(fd, 0).size();
    if (std::chrono::steady_clock::now() - begin < kept) {
      ASSERT_EQ(size, static_cast<std::size_t>(status.st_size));
      ++quick_rounds;
    }
  }
  EXPECT_GT(quick_rounds, 1000);
}

TEST_F(Freshness, ReopenAndFstatShowChanges) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  // Like Python's open().read(), as fast as possible, while the number gets more digits.
  const auto read_again = [&] {
    const auto fd = open_file(mount / id / "network_tx_bytes");
    struct stat status {};
    EXPECT_EQ(::fstat(fd.get(), &status), 0);
    return read_at(fd, 0);
  };
  unsigned sent = 0;
  EXPECT_EQ(read_again(), "0\n");
  for (const unsigned size : {60U, 100U, 1000U, 1000U, 1500U, 1500U, 1500U, 1500U, 1500U, 1500U}) {
    tap.write_frame(experimental_frame(size));
    sent += size;
    EXPECT_EQ(read_again(), std::to_string(sent) + "\n");
  }
}

TEST_F(Freshness, ReadAfterFstatShowsAStop) {
  const auto process = start_stand_in(data.socket(id));
  data.write(running_record(id, process.pid(), data.socket(id)));
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "memory_rss_bytes");
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  ASSERT_GT(status.st_size, 2);
  data.write({.id = id});
  EXPECT_EQ(read_at(fd, 0), "0\n");
}

TEST_F(Freshness, ReaderThatTakesOnlyStSizeBytesGetsAWholeNumber) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "network_tx_bytes");
  tap.write_frame(experimental_frame(99));
  constexpr std::chrono::milliseconds promised{20};
  for (int round = 0; round < 10; ++round) {
    struct stat status {};
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    tap.write_frame(experimental_frame(1000));
    const auto text = read_at(fd, 0, static_cast<std::size_t>(status.st_size));
    const bool in_time = std::chrono::steady_clock::now() - begin < promised;
    EXPECT_TRUE(text.ends_with('\n') || !in_time) << text;
  }
}

TEST_F(Freshness, OldFstatDoesNotAffectARead) {
  Tap tap{tap_of_id};
  const auto process = start_stand_in(data.socket(id));
  auto record = running_record(id, process.pid(), data.socket(id));
  record.network_enabled = true;
  data.write(record);
  const StatsMount mount{data.path()};
  const auto fd = open_file(mount / id / "network_tx_bytes");
  for (int round = 1; round <= 9; ++round) {
    struct stat status {};
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    tap.write_frame(experimental_frame(1000));
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    EXPECT_EQ(read_at(fd, 0), std::to_string(round * 1000) + "\n");
  }
}

TEST_F(Freshness, ModificationTimeIsThatOfTheSample) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  timespec before{};
  timespec after{};
  struct stat status {};
  ::clock_gettime(CLOCK_REALTIME, &before);
  ASSERT_EQ(::stat((mount / id / "cpu_seconds").c_str(), &status), 0);
  ::clock_gettime(CLOCK_REALTIME, &after);
  const auto nanoseconds = [](const timespec& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  };
  EXPECT_GE(nanoseconds(status.st_mtim), nanoseconds(before));
  EXPECT_LE(nanoseconds(status.st_mtim), nanoseconds(after));
}

/// GNU tar compares it before and after it reads a directory.
TEST_F(Freshness, ADirectoryDoesNotSeemToChangeWhileItIsRead) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  const auto modified = [](const UniqueFd& fd) {
    struct stat status {};
    EXPECT_EQ(::fstat(fd.get(), &status), 0);
    return std::tuple{status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size};
  };
  for (const auto* const name : {"", "/..", "/../by-name"}) {
    const UniqueFd directory{
        ::open((mount / id).string().append(name).c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY)};
    EXPECT_EQ(modified(directory), modified(directory)) << name;
  }
}

TEST_F(Freshness, NameFollowsTheMetadata) {
  data.write({.id = id, .name = "before"});
  const StatsMount mount{data.path()};
  EXPECT_EQ(read_file(mount / "by-name/before/instance_id").text, std::string{id} + "\n");
  EXPECT_EQ(std::filesystem::read_symlink(mount / "by-name/before"), "../" + std::string{id});

  data.write({.id = id, .name = "after"});
  EXPECT_EQ(read_file(mount / "by-name/before/instance_id").error, ENOENT);
  EXPECT_EQ(read_file(mount / "by-name/after/instance_id").text, std::string{id} + "\n");
  EXPECT_EQ(list(mount / "by-name"), (std::vector<std::string>{"after"}));
}

TEST_F(Freshness, ANameOfTwoInstancesHasNoLink) {
  data.write({.id = other_id, .name = "twin"});
  const StatsMount mount{data.path()};
  const auto link = mount / "by-name/twin";
  EXPECT_EQ(std::filesystem::read_symlink(link), std::string{"../"} + other_id);
  data.write({.id = id, .name = "twin"});
  EXPECT_EQ(read_file(link / "instance_id").error, ENOTUNIQ);
  EXPECT_EQ(list(mount / "by-name"), (std::vector<std::string>{}));
  EXPECT_EQ(mount.value(id, "instance_name"), "twin");
  data.remove(other_id);
  EXPECT_EQ(std::filesystem::read_symlink(link), std::string{"../"} + id);
}

TEST_F(Freshness, AccessAndChdirDoNotFindARemovedInstance) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  const auto directory = mount / id;
  const auto file = directory / "instance_name";
  ASSERT_EQ(::access(file.c_str(), R_OK), 0);
  ASSERT_EQ(::access(directory.c_str(), X_OK), 0);
  data.remove(id);
  EXPECT_EQ(::access(file.c_str(), R_OK), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(::access(directory.c_str(), X_OK), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(run({"sh", "-c", "cd " + directory.string()}).status.success());
}

TEST_F(Freshness, ADataDirectoryThatComesLaterIsFound) {
  const auto later = data.path() / "later";
  const StatsMount mount{later};
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
  data.write({.id = id});
  std::filesystem::create_directory(later);
  std::filesystem::rename(data.guests(), later / "guests");
  EXPECT_EQ(mount.value(id, "instance_name"), "my-web-server");
}

TEST_F(Freshness, ADataDirectoryThatReplacesAnotherIsFound) {
  data.write({.id = id});
  const auto place = data.path() / "place";
  const auto move_guests_to = [&](const std::filesystem::path& directory) {
    std::filesystem::create_directory(directory);
    std::filesystem::rename(data.guests(), directory / "guests");
    std::filesystem::create_directory(data.guests());
  };
  move_guests_to(place);
  const StatsMount mount{place};
  ASSERT_EQ(mount.instances(), (std::vector<std::string>{id}));

  std::filesystem::rename(place, data.path() / "old");
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
  data.write({.id = other_id, .name = "new"});
  move_guests_to(place);
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{other_id}));
  EXPECT_EQ(mount.value(other_id, "instance_name"), "new");
}

TEST_F(Freshness, InstancePendingDeletionIsHidden) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.read(id, "stats.json").error, 0);
  data.write({.id = id, .pending_delete_at = "2026-01-01T00:00:00Z"});
  EXPECT_EQ(mount.read(id, "stats.json").error, ENOENT);
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
}

TEST_F(Freshness, RenameForAForkIsNotADeletion) {
  data.write({.id = id, .vcpus = 5});
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.value(id, "allocated_vcpus"), "5");
  const auto backup = renamed_by_fork(data.instance(id));

  std::filesystem::rename(data.instance(id), backup);
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "5");
  data.write({.id = other_id, .name = "fork"});
  std::filesystem::create_directory_symlink(data.instance(other_id), data.instance(id));
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "5");
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{id, other_id}));

  std::filesystem::remove(data.instance(id));
  std::filesystem::rename(backup, data.instance(id));
  EXPECT_EQ(mount.value(id, "allocated_vcpus"), "5");
}

TEST_F(Freshness, OpenDirectoryCanBeListedAgain) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory{::opendir(mount.path().c_str()), close};
  const auto count = [&] {
    ::rewinddir(directory.get());
    int entries = 0;
    while (::readdir(directory.get()) != nullptr) {
      ++entries;
    }
    return entries;
  };
  EXPECT_EQ(count(), 7);
  data.write({.id = other_id});
  EXPECT_EQ(count(), 8);
}

TEST_F(Freshness, ThousandsOfInstancesAreListed) {
  std::vector<std::string> expected;
  for (int index = 0; index < 3000; ++index) {
    auto name = "instance" + std::to_string(100000 + index);
    data.write({.id = name, .name = name});
    expected.push_back(std::move(name));
  }
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.instances(), expected);
  EXPECT_EQ(list(mount / "by-name").size(), 3000U);
}

/// Reads from offset 0 with one asynchronous request, for which the kernel allows O_DIRECT to send
/// several requests at the same time.
class AsynchronousReader {
 public:
  explicit AsynchronousReader(const std::filesystem::path& path)
      : file_{::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)} {
    if (!file_ || ::syscall(SYS_io_setup, 1, &context_) != 0) {
      throw errno_error("io_setup");
    }
  }
  AsynchronousReader(const AsynchronousReader&) = delete;
  AsynchronousReader& operator=(const AsynchronousReader&) = delete;
  AsynchronousReader(AsynchronousReader&&) = delete;
  AsynchronousReader& operator=(AsynchronousReader&&) = delete;
  ~AsynchronousReader() { ::syscall(SYS_io_destroy, context_); }

  [[nodiscard]] std::string read() {
    iocb request{};
    request.aio_fildes = static_cast<std::uint32_t>(file_.get());
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_buf = reinterpret_cast<std::uintptr_t>(buffer_.get());
    request.aio_nbytes = size;
    iocb* const requests = &request;
    io_event done{};
    if (::syscall(SYS_io_submit, context_, 1, &requests) != 1 ||
        ::syscall(SYS_io_getevents, context_, 1, 1, &done, nullptr) != 1 || done.res < 0) {
      throw errno_error("read asynchronously");
    }
    return {buffer_.get(), static_cast<std::size_t>(done.res)};
  }

 private:
  struct Free {
    // NOLINTNEXTLINE(*-no-malloc,*-owning-memory): aligned_alloc() has allocated it
    void operator()(char* memory) const { ::free(memory); }
  };
  static constexpr std::size_t alignment = 4096;
  static constexpr std::size_t size = 4 << 20;

  UniqueFd file_;
  aio_context_t context_ = 0;
  std::unique_ptr<char, Free> buffer_{static_cast<char*>(std::aligned_alloc(alignment, size))};
};

TEST_F(Freshness, AsynchronousDirectReadsHaveOneSample) {
  const auto process = start_stand_in(data.socket(id));
  const auto write = [&](const std::string& instance, const std::string& name) {
    auto record = running_record(instance, process.pid(), data.socket(id));
    record.name = name;
    data.write(record);
  };
  for (int index = 0; index < 300; ++index) {
    write("instance" + std::to_string(index), "web-" + std::to_string(index));
  }
  const StatsMount mount{data.path()};
  AsynchronousReader reader{mount / "metrics.prom"};
  for (int round = 0; round < 20; ++round) {
    // A part of the file that is from the sample before has the old name.
    write("instance1", "old");
    ASSERT_NE(reader.read().find("\"old\""), std::string::npos);
    write("instance1", "new");
    const auto text = reader.read();
    EXPECT_EQ(text.find("\"old\""), std::string::npos);
    EXPECT_TRUE(text.ends_with('\n'));
  }
}

TEST_F(Freshness, TreeIsEmptyUntilThereAreGuests) {
  std::filesystem::remove_all(data.guests());
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{}));
  std::filesystem::create_directory(data.guests());
  data.write({.id = id});
  EXPECT_EQ(mount.instances(), (std::vector<std::string>{id}));
}

}  // namespace
}  // namespace hypeman::tests
