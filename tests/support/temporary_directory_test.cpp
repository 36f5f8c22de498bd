#include "tests/support/temporary_directory.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(TemporaryDirectory, IsRemovedWithItsContent) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    std::filesystem::create_directories(path / "guests" / "one");
    std::ofstream(path / "guests" / "one" / "metadata.json") << "{}";
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryDirectory, EachIsDifferent) {
  const TemporaryDirectory one;
  const TemporaryDirectory other;
  EXPECT_NE(one.path(), other.path());
}

}  // namespace
}  // namespace hypeman::tests
