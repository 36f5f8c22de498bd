#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/unique_fd.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
constexpr int major_faults_field = 12;

/// The numbers of the process that are there only while it runs. It is idle, so they do not change.
class ProcessNumbers : public EndToEndTest {
 protected:
  /// A size in /proc/<pid>/status, in bytes.
  [[nodiscard]] static std::uint64_t status_size(pid_t pid, const std::string& label) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(label + ":")) {
        constexpr std::uint64_t kibibyte = 1024;
        return std::stoull(line.substr(label.size() + 1)) * kibibyte;
      }
    }
    throw std::runtime_error{"no " + label};
  }

  void write_record(const ChildProcess& process) const {
    data.write(running_record(id, process.pid(), data.socket(id)));
  }

  static void expect_memory_of(const StatsMount& mount, pid_t pid) {
    EXPECT_EQ(mount.number(id, "memory_rss_anon_bytes"), status_size(pid, "RssAnon"));
    EXPECT_EQ(mount.number(id, "memory_rss_file_bytes"), status_size(pid, "RssFile"));
    EXPECT_EQ(mount.number(id, "memory_rss_shmem_bytes"), status_size(pid, "RssShmem"));
    EXPECT_EQ(mount.number(id, "memory_swap_bytes"), status_size(pid, "VmSwap"));
  }

  DataDirectory data;
};

TEST_F(ProcessNumbers, MemoryIsThatOfTheKernelByKind) {
  const auto process = start_stand_in_with({"--share-memory"}, data.socket(id));
  write_record(process);
  const StatsMount mount{data.path()};
  ASSERT_GT(mount.number(id, "memory_rss_shmem_bytes"), 1'000'000);
  ASSERT_GT(mount.number(id, "memory_rss_anon_bytes"), 0);
  ASSERT_GT(mount.number(id, "memory_rss_file_bytes"), 0);
  expect_memory_of(mount, process.pid());
}

// The stand-in touches a page of a file that the kernel does not hold in memory.
TEST_F(ProcessNumbers, MajorFaultsAreThoseOfTheKernel) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "cold";
  std::ofstream{path} << std::string(4096, 'x');
  {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
  }
  const auto process = start_stand_in_with({"--lock-memory", path}, data.socket(id));
  write_record(process);
  const StatsMount mount{data.path()};
  EXPECT_EQ(mount.number(id, "memory_major_faults"), stat_field(process.pid(), major_faults_field));
}

TEST_F(ProcessNumbers, FilesOfTheProcessAreThereOnlyWhileItRuns) {
  const std::vector<std::string> files{
      "start_time_seconds",    "cpu_guest_seconds",      "memory_rss_anon_bytes",
      "memory_rss_file_bytes", "memory_rss_shmem_bytes", "memory_swap_bytes",
      "memory_major_faults",   "network_rx_packets",     "network_tx_dropped"};
  auto process = start_stand_in(data.socket(id));
  write_record(process);
  const StatsMount mount{data.path()};
  const auto listed = [&] {
    const auto names = list(mount / id);
    return std::ranges::count_if(
        files, [&](const auto& file) { return std::ranges::count(names, file) == 1; });
  };
  EXPECT_EQ(listed(), files.size());
  EXPECT_EQ(mount.value(id, "cpu_guest_seconds"), "0");

  process.send_signal(SIGKILL);
  ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  EXPECT_EQ(listed(), 0);
  const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
  for (const auto& file : files) {
    EXPECT_EQ(mount.read(id, file).error, ENOENT) << file;
    EXPECT_FALSE(json.at("instances").at(id).contains(file)) << file;
  }
  EXPECT_EQ(mount.value(id, "cpu_seconds"), "0");
}

}  // namespace
}  // namespace hypeman::tests
