#include "tests/support/hung_processes.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGKILL and friends, with kill()

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "collector/instances/instance.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/samples.hpp"
#include "tests/collector/test_host.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

using collector::Instance;
using collector::Sample;

/// VMs of an older version of Hypeman, so their processes are recognised by the command line.
class HungCommandLines : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    hung_processes = std::make_unique<HungProcesses>();
  }

  std::unique_ptr<Instance> instance(const std::string& id, pid_t pid) {
    host.data().write({.id = id, .pid = pid, .socket_path = host.data().socket(id)});
    return std::make_unique<Instance>(host.host(), id);
  }
  std::unique_ptr<Instance> hung_instance(const std::string& id) {
    return instance(id, hung_processes->start(host.data().socket(id)));
  }

  [[nodiscard]] static Sample sample_of(Instance& instance) {
    return instance.sample(instance.record().value(), all_sources);
  }

  TestHost host;
  std::unique_ptr<HungProcesses> hung_processes;
};

TEST_F(HungCommandLines, CostOnlyTheReadersOfTheirVms) {
  constexpr std::size_t count = 8;
  std::vector<std::unique_ptr<Instance>> hung;
  for (std::size_t i = 0; i < count; ++i) {
    hung.push_back(hung_instance(std::string{first_id} + std::to_string(i)));
  }
  auto process = start_stand_in(host.data().socket(second_id));
  const auto other = instance(std::string{second_id}, process.pid());

  constexpr std::size_t readers_of_each = 3;
  std::atomic<std::size_t> timed_out = 0;
  std::vector<std::jthread> readers;
  for (std::size_t i = 0; i < count * readers_of_each; ++i) {
    readers.emplace_back([&, &one = *hung.at(i % count)] {
      const auto sample = sample_of(one);
      if (sample.running && error_of(cpu_seconds(sample)) == ETIMEDOUT &&
          error_of(rss_bytes(sample)) == ETIMEDOUT) {
        ++timed_out;
      }
    });
  }
  EXPECT_EQ(error_of(rss_bytes(sample_of(*other))), 0);
  readers.clear();
  EXPECT_EQ(timed_out, count * readers_of_each);
  EXPECT_EQ(error_of(rss_bytes(sample_of(*other))), 0);

  // Further readers start no thread and do not wait: otherwise this would take minutes.
  const auto threads = list("/proc/self/task").size();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(error_of(rss_bytes(sample_of(*hung.front()))), ETIMEDOUT);
  }
  EXPECT_EQ(list("/proc/self/task").size(), threads);
  EXPECT_EQ(host.logged_lines(), 2 * count) << host.log();  // CPU time and memory of each VM

  hung_processes->release();
  for (const auto& one : hung) {
    EXPECT_TRUE(eventually([&] { return rss_bytes(sample_of(*one)).has_value(); }));
    EXPECT_TRUE(sample_of(*one).running);
  }
}

TEST_F(HungCommandLines, DoNotHideThatTheProcessHasEnded) {
  const auto hung = hung_instance(std::string{first_id});
  ASSERT_EQ(error_of(rss_bytes(sample_of(*hung))), ETIMEDOUT);
  // Another process of the VM, while the check of the first one still hangs.
  auto process = start_stand_in(host.data().socket(first_id));
  host.data().write({.id = std::string{first_id},
                     .pid = process.pid(),
                     .socket_path = host.data().socket(first_id)});
  EXPECT_EQ(error_of(rss_bytes(sample_of(*hung))), 0);
  process.send_signal(SIGKILL);
  ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  EXPECT_FALSE(sample_of(*hung).running);
}

}  // namespace
}  // namespace hypeman::tests
