#include "collector/instances/host.hpp"

#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

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

TEST(Host, TheDataDirectoryMayComeLaterIfItsParentExists) {
  const TemporaryDirectory parent;
  std::ostringstream log;
  const auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  const std::string absent = parent.path() / "absent";
  EXPECT_TRUE(Host::open({.data_dir = absent}, logger));
  EXPECT_NE(log.str().find(absent), std::string::npos) << log.str();
  const std::string typing_error = parent.path() / "absent" / "hypeman";
  const auto host = Host::open({.data_dir = typing_error}, logger);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error(), typing_error +
                              ": No such file or directory; name Hypeman's data directory, or "
                              "create this one");
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
  EXPECT_EQ(host.error(), "/dev/null: Not a directory; name Hypeman's data directory");
}

}  // namespace
}  // namespace hypeman::tests
