#include "collector/kernel/descriptor_budget.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/test_host.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

using collector::DescriptorBudget;
using collector::PinnedFiles;

/// Files that are open: those of a real process.
class DescriptorBudgetTest : public ::testing::Test {
 protected:
  static std::size_t open_descriptors() { return list("/proc/self/fd").size(); }

  /// As a measurement does it.
  void use(DescriptorBudget& budget, const std::shared_ptr<PinnedFiles>& files) {
    budget.use(files);
    ASSERT_TRUE(files->process(host.host().procfs, recorded));
  }

  TestHost host;
  ChildProcess process = start_stand_in("/socket");
  collector::RecordedProcess recorded{.pid = process.pid(), .socket_path = "/socket"};
  const std::size_t before = open_descriptors();
};

TEST_F(DescriptorBudgetTest, ClosesTheLeastRecentlyUsedBeyondItsLimit) {
  DescriptorBudget budget{2};
  const std::vector<std::shared_ptr<PinnedFiles>> files{std::make_shared<PinnedFiles>(),
                                                        std::make_shared<PinnedFiles>(),
                                                        std::make_shared<PinnedFiles>()};
  use(budget, files[0]);
  use(budget, files[1]);
  EXPECT_EQ(open_descriptors(), before + 4);
  use(budget, files[0]);
  use(budget, files[2]);
  EXPECT_EQ(open_descriptors(), before + 4);
  files[1]->drop_all();
  EXPECT_EQ(open_descriptors(), before + 4) << "the least recently used ones were still open";
}

TEST_F(DescriptorBudgetTest, ReleaseClosesAtOnce) {
  DescriptorBudget budget{2};
  const auto files = std::make_shared<PinnedFiles>();
  use(budget, files);
  budget.release(*files);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(files.use_count(), 1);
}

TEST_F(DescriptorBudgetTest, AlwaysAllowsOne) {
  DescriptorBudget budget{0};
  const auto files = std::make_shared<PinnedFiles>();
  use(budget, files);
  EXPECT_EQ(open_descriptors(), before + 2);
}

}  // namespace
}  // namespace hypeman::tests
