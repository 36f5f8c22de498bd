#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGTERM, with kill()
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dirent.h>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/system_call_trace.hpp"

namespace hypeman::tests {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

/// What readers and changes of a large host can make the daemon use.
class Limits : public EndToEndTest {
 protected:
  [[nodiscard]] static std::string id(int number) { return "vm" + std::to_string(10000 + number); }

  /// Adds instances that run. All of them have the same process.
  void add_running(int count) {
    for (int number = 0; number < count; ++number) {
      auto record = running_record(id(number), process.pid(), "");
      record.name = "a-name-of-usual-length-" + std::to_string(number);
      data.write(record);
    }
  }

  DataDirectory data;
  ChildProcess process = start_stand_in(data.socket("own"), /*busy=*/true);
};

std::size_t resident_bytes(pid_t pid) {
  std::ifstream statm{"/proc/" + std::to_string(pid) + "/statm"};
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t open_descriptors(pid_t pid) {
  return list("/proc/" + std::to_string(pid) + "/fd").size();
}

TEST_F(Limits, OpenFilesTakeABoundedAmountOfMemoryThatIsGivenBack) {
  add_running(2000);
  const StatsMount mount{data.path()};
  const auto metrics = mount / "metrics.prom";
  ASSERT_EQ(read_file(metrics).error, 0);
  const auto worker = mount.worker_pid();
  const auto before = resident_bytes(worker);

  std::vector<UniqueFd> files;
  std::size_t refused = 0;
  for (int count = 0; count < 200; ++count) {
    UniqueFd file{::open(metrics.c_str(), O_RDONLY | O_CLOEXEC)};
    char byte = 0;
    if (!file || ::read(file.get(), &byte, 1) != 1) {
      ASSERT_EQ(errno, ENOBUFS);
      ++refused;
    }
    files.push_back(std::move(file));
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LT(resident_bytes(worker), before + 128 * mebibyte);
  EXPECT_TRUE(run({"cat", metrics.string()}, as_unprivileged_user()).status.success())
      << "another user can still read";

  files.clear();
  EXPECT_EQ(read_file(metrics).error, 0);
  EXPECT_TRUE(eventually([&] { return resident_bytes(worker) < before + 16 * mebibyte; }))
      << before << " before, now " << resident_bytes(worker);
}

TEST_F(Limits, OpenDirectoriesTakeABoundedAmountOfMemory) {
  for (int number = 0; number < 2000; ++number) {
    data.write({.id = id(number)});
  }
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.instances().size(), 2000U);
  const auto worker = mount.worker_pid();
  const auto before = resident_bytes(worker);

  const auto close = [](DIR* directory) { ::closedir(directory); };
  std::vector<std::unique_ptr<DIR, decltype(close)>> directories;
  std::size_t refused = 0;
  for (int count = 0; count < 1000; ++count) {
    errno = 0;
    auto* const directory = ::opendir(mount.path().c_str());
    if (directory == nullptr || ::readdir(directory) == nullptr) {
      ASSERT_EQ(errno, ENOBUFS);
      ++refused;
    }
    if (directory != nullptr) {
      directories.emplace_back(directory);
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LT(resident_bytes(worker), before + 128 * mebibyte);
  directories.clear();
  EXPECT_EQ(mount.instances().size(), 2000U);
  EXPECT_TRUE(eventually([&] { return resident_bytes(worker) < before + 16 * mebibyte; }))
      << before << " before, now " << resident_bytes(worker);
}

TEST_F(Limits, AFileReadToItsEndTakesNoMemory) {
  add_running(1000);
  const StatsMount mount{data.path()};
  const auto metrics = mount / "metrics.prom";
  std::vector<UniqueFd> files;
  std::vector<char> buffer(8 * mebibyte);
  for (int count = 0; count < 200; ++count) {
    files.emplace_back(::open(metrics.c_str(), O_RDONLY | O_CLOEXEC));
    ssize_t length = 0;
    while ((length = ::read(files.back().get(), buffer.data(), buffer.size())) > 0) {
    }
    ASSERT_EQ(length, 0) << count;
  }
}

TEST_F(Limits, StatAndTheNextReadOfTheWholeHostAgree) {
  add_running(3000);
  const StatsMount mount{data.path()};
  for (int round = 0; round < 10; ++round) {
    const UniqueFd file{::open((mount / "metrics.prom").c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status {};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    // Like readers that trust st_size.
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t length = 0;
    while (length < text.size()) {
      const auto got = ::read(file.get(), text.data() + length, text.size() - length);
      ASSERT_GT(got, 0);
      length += static_cast<std::size_t>(got);
    }
    ASSERT_NE(text.find("\nhypeman_vm_metrics_instances_observed 3000\n"), std::string::npos);
    ASSERT_EQ(text.back(), '\n');
    char more = 0;
    ASSERT_EQ(::read(file.get(), &more, 1), 0);
  }
}

TEST_F(Limits, AReadAfterStatShowsAVmThatHasEnded) {
  add_running(10);
  const StatsMount mount{data.path()};
  const auto with_ten = "\nhypeman_vm_metrics_instances_observed 10\n";
  const auto metrics = mount / "metrics.prom";
  ASSERT_NE(read_file(metrics).text.find(with_ten), std::string::npos);
  const UniqueFd file{::open(metrics.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status {};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  data.remove(id(3));
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  EXPECT_EQ(::read(file.get(), text.data(), text.size()), status.st_size);
  EXPECT_EQ(text.find(id(3)), std::string::npos);
}

TEST_F(Limits, ListingAfterDeletionsReadsTheDirectoryOnce) {
  constexpr int count = 600;
  for (int number = 0; number < count; ++number) {
    data.write({.id = id(number)});
  }
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.instances().size(), static_cast<std::size_t>(count));
  for (int number = 0; number < count / 2; ++number) {
    data.remove(id(number));
  }
  SystemCallTrace trace{mount.worker_pid(), "getdents64"};
  EXPECT_EQ(mount.instances().size(), static_cast<std::size_t>(count / 2));
  EXPECT_LT(trace.lines().size(), 10U);
}

TEST_F(Limits, UnknownNamesDoNotHoldUpReadersOfOneVm) {
  add_running(1);
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.read(id(0), "cpu_seconds").error, 0);
  SystemCallTrace slow{mount.worker_pid(), "getdents64", std::chrono::seconds{1}};
  std::vector<ChildProcess> others;
  for (int number = 0; number < 8; ++number) {
    others.push_back(
        ChildProcess::spawn({"cat", mount / ("by-name/absent-" + std::to_string(number) + "/x")}));
  }
  others.push_back(ChildProcess::spawn({"ls", mount.path()}));
  others.push_back(ChildProcess::spawn({"cat", mount / "metrics.prom"}));
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(mount.read(id(0), "cpu_seconds").error, 0);
  }
  for (auto& other : others) {
    EXPECT_FALSE(other.wait(std::chrono::milliseconds{0})) << "must still wait for the listing";
  }
}

TEST_F(Limits, DeletedInstancesLeaveNoDescriptors) {
  add_running(1);
  const StatsMount mount{data.path()};
  ASSERT_EQ(mount.read(id(0), "cpu_seconds").error, 0);
  const auto before = open_descriptors(mount.worker_pid());
  for (int number = 1; number < 1000; ++number) {
    data.write(running_record(id(number), process.pid(), ""));
    ASSERT_EQ(mount.read(id(number), "cpu_seconds").error, 0);
    data.remove(id(number));
  }
  EXPECT_LT(open_descriptors(mount.worker_pid()), before + 100);
  // Reads of other instances close the rest.
  EXPECT_TRUE(eventually([&] {
    static_cast<void>(mount.read(id(0), "cpu_seconds"));
    return open_descriptors(mount.worker_pid()) <= before;
  }));
}

}  // namespace
}  // namespace hypeman::tests
