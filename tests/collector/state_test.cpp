#include "collector/hypeman/state.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "collector/hypeman/metadata_file.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/test_host.hpp"

namespace hypeman::tests {
namespace {

class StateTest : public ::testing::Test {
 protected:
  StateTest() { std::filesystem::create_directories(snapshot().parent_path()); }

  [[nodiscard]] std::filesystem::path snapshot() const {
    return data_.instance(first_id) / "snapshots/snapshot-latest";
  }
  [[nodiscard]] std::string state() const {
    const auto word = collector::state_without_process(collector::Guests{data_.path()}, first_id,
                                                       collector::seconds_now());
    return word ? std::string{*word} : word.error().message();
  }

 private:
  DataDirectory data_;
};

TEST_F(StateTest, IsStandbyWhileThereIsASnapshot) {
  EXPECT_EQ(state(), "stopped");
  std::filesystem::create_directory(snapshot());
  EXPECT_EQ(state(), "stopped") << "the directory is empty";
  write_over(snapshot() / "memory", "x");
  EXPECT_EQ(state(), "standby");
  std::filesystem::remove_all(snapshot());
  EXPECT_EQ(state(), "stopped");
}

TEST_F(StateTest, OnlyARealDirectoryIsASnapshot) {
  write_over(snapshot(), "a file");
  EXPECT_EQ(state(), "stopped");
  std::filesystem::remove(snapshot());
  std::filesystem::create_directory_symlink("/etc", snapshot());
  EXPECT_EQ(state(), "stopped");
}

TEST_F(StateTest, StaysStandbyWhileAForkHasRenamedTheDirectory) {
  write_over(snapshot() / "memory", "x");
  const auto directory = snapshot().parent_path().parent_path();
  std::filesystem::rename(directory, renamed_by_fork(directory));
  EXPECT_EQ(state(), "standby");
  std::filesystem::create_directory_symlink("/etc", directory);
  EXPECT_EQ(state(), "standby");
}

TEST_F(StateTest, IsStoppedIfTheVmHasJustBeenDeleted) {
  std::filesystem::remove_all(snapshot().parent_path().parent_path());
  EXPECT_EQ(state(), "stopped");
}

TEST(State, OfAProcessIsOneOfHypemansWords) {
  for (const auto* const word : {"created", "initializing", "running", "paused", "shutdown"}) {
    EXPECT_TRUE(collector::is_state_of_process(word)) << word;
  }
  for (const auto* const word : {"", "stopped", "standby", "Running", "running "}) {
    EXPECT_FALSE(collector::is_state_of_process(word)) << word;
  }
}

}  // namespace
}  // namespace hypeman::tests
