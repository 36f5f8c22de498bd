#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/system_call_trace.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/threads.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');

/// The reads and validations of the daemon, until they are counted.
class Trace {
 public:
  explicit Trace(pid_t pid) : trace_{pid, "pread64,readlinkat"} {}

  /// How often each kernel file was read, by name.
  std::map<std::string, int> kernel_reads() {
    std::map<std::string, int> reads;
    static const std::regex read_of_file{
        R"(pread64\(\d+<(/proc/\d+(?:/task/\d+)?|/sys/.*/statistics)/(\w+)>)"};
    for (const auto& line : trace_.lines()) {
      if (std::smatch match; std::regex_search(line, match, read_of_file)) {
        ++reads[match.str(2)];
      }
    }
    return reads;
  }

  /// How often the daemon checked whether the instance's directory still exists.
  int validations() {
    return static_cast<int>(std::ranges::count_if(trace_.lines(), [](const std::string& line) {
      return line.find("readlinkat(") != std::string::npos;
    }));
  }

 private:
  SystemCallTrace trace_;
};

/// How many kernel files a read reads. The VM was read once before, so its files are open.
class KernelReads : public EndToEndTest {
 protected:
  using Reads = std::map<std::string, int>;

  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    auto record = running_record(id, process.pid(), data.socket(id));
    record.network_enabled = true;
    data.create_overlay(id, 1 << 20);
    data.write(record);
    mount.emplace(data.path());
    ASSERT_EQ(read_file(*mount / "instances.json").error, 0);
  }

  static void cat(const std::filesystem::path& path) {
    ASSERT_TRUE(run({"cat", path.string()}).status.success());
  }
  [[nodiscard]] std::filesystem::path file(std::string_view name) const {
    return mount->path() / id / name;
  }

  DataDirectory data;
  Tap tap{tap_of(id)};
  ThreadedStandIn process{data.socket(id), {"vcpu0", "vcpu1"}};
  std::optional<StatsMount> mount;
};

TEST_F(KernelReads, CatOfStatsJsonReadsEachFileOnce) {
  Trace trace{mount->worker_pid()};
  cat(file("stats.json"));
  EXPECT_EQ(trace.kernel_reads(),
            (Reads{{"stat", 1}, {"statm", 1}, {"rx_bytes", 1}, {"tx_bytes", 1}}));
}

TEST_F(KernelReads, CatOfInstancesJsonReadsEachFileOnce) {
  Trace trace{mount->worker_pid()};
  cat(*mount / "instances.json");
  EXPECT_EQ(trace.kernel_reads(), (Reads{{"stat", 1},
                                         {"statm", 1},
                                         {"status", 1},
                                         {"schedstat", 2},
                                         {"rx_bytes", 1},
                                         {"tx_bytes", 1},
                                         {"rx_packets", 1},
                                         {"tx_packets", 1},
                                         {"rx_errors", 1},
                                         {"tx_errors", 1},
                                         {"rx_dropped", 1},
                                         {"tx_dropped", 1}}));
}

TEST_F(KernelReads, LookUpReadsNoKernelFile) {
  Trace trace{mount->worker_pid()};
  for (const auto& path : {mount->path() / "metrics.prom", file("stats.json"), file("cpu_seconds"),
                           file("vcpus/1/cpu_seconds"), file("disk_size_bytes")}) {
    const UniqueFd found{::open(path.c_str(), O_PATH | O_CLOEXEC)};
    ASSERT_TRUE(found);
  }
  EXPECT_EQ(trace.kernel_reads(), Reads{});
}

TEST_F(KernelReads, ValueReadsOnlyItsOwnKernelFiles) {
  const std::map<std::string, std::vector<std::string>> expected{
      {"cpu_seconds", {"stat"}},
      {"memory_vms_bytes", {"statm"}},
      {"network_rx_bytes", {"stat", "tx_bytes"}},
      {"instance_name", {}},
      {"state", {"stat"}},
      {"start_time_seconds", {"stat"}},
      {"cpu_guest_seconds", {"stat"}},
      {"cpu_wait_seconds", {"schedstat", "stat"}},
      {"vcpus/1/cpu_seconds", {"schedstat", "stat"}},
      {"memory_swap_bytes", {"stat", "status"}},
      {"network_tx_dropped", {"rx_dropped", "stat"}},
      {"disk_size_bytes", {}},
  };
  for (const auto& [name, files] : expected) {
    Trace trace{mount->worker_pid()};
    cat(file(name));
    std::vector<std::string> read;
    for (const auto& [kernel_file, count] : trace.kernel_reads()) {
      read.push_back(kernel_file);
    }
    EXPECT_EQ(read, files) << name;
  }
}

TEST_F(KernelReads, EachCallValidatesOnce) {
  const UniqueFd held{::open(file("cpu_seconds").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_TRUE(held);
  {
    Trace trace{mount->worker_pid()};
    struct stat status {};
    ASSERT_EQ(::fstat(held.get(), &status), 0);
    EXPECT_EQ(trace.validations(), 1) << "fstat";
    EXPECT_EQ(trace.kernel_reads(), (Reads{{"stat", 1}}));
  }
  Trace trace{mount->worker_pid()};
  std::string buffer(100, '\0');
  ASSERT_GT(::pread(held.get(), buffer.data(), buffer.size(), 0), 0);
  EXPECT_EQ(trace.validations(), 1) << "pread";
  EXPECT_EQ(trace.kernel_reads(), (Reads{{"stat", 1}}));
}

}  // namespace
}  // namespace hypeman::tests
