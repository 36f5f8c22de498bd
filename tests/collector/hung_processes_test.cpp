#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "collector/instances/instance.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/samples.hpp"
#include "tests/collector/test_host.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hung_processes.hpp"
#include "tests/support/privileges.hpp"

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

  std::atomic<std::size_t> timed_out = 0;
  std::vector<std::jthread> readers;
  for (const auto& one : hung) {
    readers.emplace_back([&] {
      const auto sample = sample_of(*one);
      if (sample.running && error_of(cpu_seconds(sample)) == ETIMEDOUT &&
          error_of(rss_bytes(sample)) == ETIMEDOUT) {
        ++timed_out;
      }
    });
  }
  EXPECT_EQ(error_of(rss_bytes(sample_of(*other))), 0);
  readers.clear();
  EXPECT_EQ(timed_out, count);
  EXPECT_EQ(error_of(rss_bytes(sample_of(*other))), 0);

  hung_processes->release();
  for (const auto& one : hung) {
    EXPECT_TRUE(eventually([&] { return rss_bytes(sample_of(*one)).has_value(); }));
    EXPECT_TRUE(sample_of(*one).running);
  }
}

}  // namespace
}  // namespace hypeman::tests
