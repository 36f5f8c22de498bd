#include "collector/instances/host.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::Host;
using collector::Roots;

TEST(Host, DefaultRootsAreThoseOfHypemanAndTheKernel) {
  const Roots roots;
  EXPECT_EQ(roots.data_dir, "/var/lib/hypeman");
  EXPECT_EQ(roots.proc, "/proc");
  EXPECT_EQ(roots.sys, "/sys");
}

TEST(Host, OpensWithoutAnyInstance) {
  const TemporaryDirectory data;
  const auto host = Host::open({.data_dir = data.path()}, nullptr);
  EXPECT_TRUE(host) << host.error();
}

TEST(Host, ErrorNamesTheMissingRootAndTheReason) {
  const TemporaryDirectory data;
  const std::string absent = data.path() / "absent";
  const auto expected = absent + ": No such file or directory";
  for (const auto& roots : {Roots{.data_dir = data.path(), .proc = absent},
                            Roots{.data_dir = data.path(), .sys = absent}}) {
    const auto host = Host::open(roots, nullptr);
    ASSERT_FALSE(host);
    EXPECT_EQ(host.error(), expected);
  }
}

TEST(Host, ARootMustBeADirectory) {
  const auto host = Host::open({.data_dir = "/dev/null"}, nullptr);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error(), "/dev/null: Not a directory");
}

}  // namespace
}  // namespace hypeman::tests
