#include "collector/kernel/descriptor_cache.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/test_host.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

using collector::DescriptorCache;
using collector::KernelFiles;

/// Open files of a real process.
class DescriptorCacheTest : public ::testing::Test {
 protected:
  static std::size_t open_descriptors() { return list("/proc/self/fd").size(); }

  /// Like a measurement.
  void use(DescriptorCache& cache, const std::shared_ptr<KernelFiles>& files) {
    ASSERT_TRUE(files->process(host.host().procfs, identity));
    cache.use(files);
  }

  TestHost host;
  ChildProcess process = start_stand_in("/socket");
  collector::ProcessIdentity identity{.pid = process.pid(), .socket_path = "/socket"};
  const std::size_t before = open_descriptors();
};

TEST_F(DescriptorCacheTest, ClosesTheLeastRecentlyUsedBeyondItsLimit) {
  DescriptorCache cache{5};  // each VM has two
  const std::vector<std::shared_ptr<KernelFiles>> files{std::make_shared<KernelFiles>(),
                                                        std::make_shared<KernelFiles>(),
                                                        std::make_shared<KernelFiles>()};
  use(cache, files[0]);
  use(cache, files[1]);
  EXPECT_EQ(open_descriptors(), before + 4);
  use(cache, files[0]);
  use(cache, files[2]);
  EXPECT_EQ(open_descriptors(), before + 4);
  files[1]->close_all();
  EXPECT_EQ(open_descriptors(), before + 4) << "the least recently used ones were still open";
}

TEST_F(DescriptorCacheTest, ReleaseClosesAtOnce) {
  DescriptorCache cache{5};
  const auto files = std::make_shared<KernelFiles>();
  use(cache, files);
  cache.remove(*files);
  EXPECT_EQ(open_descriptors(), before);
  // The thread that has checked the process may still hold them for a moment.
  EXPECT_TRUE(eventually([&] { return files.use_count() == 1; }));
}

TEST_F(DescriptorCacheTest, RemovedFilesDoNotCount) {
  DescriptorCache cache{5};
  for (int round = 0; round < 3; ++round) {
    const auto removed = std::make_shared<KernelFiles>();
    use(cache, removed);
    cache.remove(*removed);
  }
  const auto first = std::make_shared<KernelFiles>();
  const auto second = std::make_shared<KernelFiles>();
  use(cache, first);
  use(cache, second);
  EXPECT_EQ(open_descriptors(), before + 4);
}

TEST_F(DescriptorCacheTest, AlwaysAllowsOne) {
  DescriptorCache cache{0};
  const auto files = std::make_shared<KernelFiles>();
  use(cache, files);
  EXPECT_EQ(open_descriptors(), before + 2);
}

}  // namespace
}  // namespace hypeman::tests
