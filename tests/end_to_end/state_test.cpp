#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');

class State : public EndToEndTest {
 protected:
  [[nodiscard]] InstanceRecord running() const {
    return running_record(id, process.pid(), data.socket(id));
  }

  void write_phase(const std::string& phase) const {
    auto record = running();
    record.phase = phase;
    data.write(record);
  }

  void end_process() {
    process.send_signal(SIGKILL);
    ASSERT_TRUE(process.wait(std::chrono::seconds{10}));
  }

  void create_snapshot() const {
    std::filesystem::create_directories(data.snapshot(id));
    std::ofstream{data.snapshot(id) / "state.json"} << "{}";
  }

  /// As the file shows it. The other files must show the same.
  [[nodiscard]] static std::string state(const StatsMount& mount) {
    auto word = mount.value(id, "state");
    const auto json = nlohmann::json::parse(read_file(mount / "instances.json").text);
    EXPECT_EQ(json.at("instances").at(id).at("state"), word);
    const auto summary = read_file(mount / "summary").text;
    EXPECT_NE(summary.find(" " + word + " "), std::string::npos) << summary;
    EXPECT_EQ(std::ranges::count(list(mount / id), "state"), 1);
    return word;
  }

  DataDirectory data;
  ChildProcess process = start_stand_in(data.socket(id));
};

TEST_F(State, GoesFromRunningThroughStandbyToStopped) {
  data.write(running());
  const StatsMount mount{data.path()};
  EXPECT_EQ(state(mount), "running");

  create_snapshot();
  EXPECT_EQ(state(mount), "running") << "a snapshot of a VM that runs";
  end_process();
  data.write({.id = id});
  EXPECT_EQ(state(mount), "standby");

  std::filesystem::remove_all(data.snapshot(id));
  EXPECT_EQ(state(mount), "stopped");
}

TEST_F(State, ProcessThatHasDiedIsNotRunningWhateverTheRecordSays) {
  write_phase("running");
  const StatsMount mount{data.path()};
  EXPECT_EQ(state(mount), "running");
  end_process();
  EXPECT_EQ(state(mount), "stopped");
  create_snapshot();
  EXPECT_EQ(state(mount), "standby");
}

TEST_F(State, ProcessThatHasEndedButIsNotReapedIsNotRunning) {
  write_phase("running");
  const StatsMount mount{data.path()};
  EXPECT_EQ(state(mount), "running");
  process.send_signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return mount.value(id, "state") == "stopped"; }));
  EXPECT_TRUE(std::filesystem::exists("/proc/" + std::to_string(process.pid())));
}

TEST_F(State, PhaseIsShownWhileTheProcessLives) {
  data.write(running());
  const StatsMount mount{data.path()};
  for (const auto* const word : {"created", "initializing", "running", "paused", "shutdown"}) {
    write_phase(word);
    EXPECT_EQ(state(mount), word);
  }
  write_phase("paused");
  data.write(running());  // an older version
  EXPECT_EQ(state(mount), "running");
}

TEST_F(State, UnknownPhaseIsRunning) {
  data.write(running());
  const StatsMount mount{data.path()};
  for (const auto* const word :
       {"migrating", "", "Paused", "paused ", "standby", "stopped", "\x1b[2J", "paused\nrunning"}) {
    write_phase(word);
    EXPECT_EQ(state(mount), "running") << word;
  }
}

TEST_F(State, PhasesOfAnotherTypeAreRunning) {
  data.write(running());
  const StatsMount mount{data.path()};
  for (const auto* const phases :
       {"null", "7", "[]", R"("paused")", R"({"current": 7})", R"({"current": null})",
        R"({"current": {"current": "paused"}})", R"({"cumulative": {"current": "paused"}})"}) {
    auto json = nlohmann::json::parse(metadata_json(running()));
    json["phases"] = nlohmann::json::parse(phases);
    data.write_text(id, json.dump(2));
    EXPECT_EQ(state(mount), "running") << phases;
  }
}

TEST_F(State, OnlyAFilledDirectoryIsASnapshot) {
  data.write({.id = id});
  const StatsMount mount{data.path()};
  const auto snapshot = data.snapshot(id);
  EXPECT_EQ(state(mount), "stopped") << "no directory at all";

  std::filesystem::create_directories(snapshot);
  EXPECT_EQ(state(mount), "stopped") << "empty";
  std::filesystem::remove(snapshot);

  create_snapshot();
  std::filesystem::rename(snapshot, snapshot.parent_path() / "another");
  EXPECT_EQ(state(mount), "stopped") << "a snapshot that is not the latest";
  std::filesystem::create_directory_symlink("another", snapshot);
  EXPECT_EQ(state(mount), "stopped") << "a symbolic link";
  std::filesystem::remove(snapshot);

  std::ofstream{snapshot} << "text";
  EXPECT_EQ(state(mount), "stopped") << "a file";
  std::filesystem::remove(snapshot);
  std::filesystem::rename(snapshot.parent_path() / "another", snapshot);
  EXPECT_EQ(state(mount), "standby");
}

TEST_F(State, SnapshotBehindASymbolicLinkIsNone) {
  create_snapshot();
  std::filesystem::rename(data.snapshot(id).parent_path(), data.path() / "elsewhere");
  std::filesystem::create_directory_symlink(data.path() / "elsewhere",
                                            data.snapshot(id).parent_path());
  data.write({.id = id});
  const StatsMount mount{data.path()};
  EXPECT_EQ(state(mount), "stopped");
}

}  // namespace
}  // namespace hypeman::tests
