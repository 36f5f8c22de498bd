
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/virtual_machine.hpp"

namespace hypeman::tests {
namespace {

using std::chrono::minutes;

constexpr const char* mountpoint = "/run/hypeman/stats";

/// Whether any process has `text` on its command line.
bool is_on_a_command_line(const std::string& text) {
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string command_line(std::istreambuf_iterator<char>(file), {});
    if (command_line.find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

class DemoTest : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    if (is_mounted(mountpoint)) {
      skip(std::string("needs ") + mountpoint + " for itself; unmount it");
      return;
    }
    static_cast<void>(guest_image());
  }

  void start(const std::vector<std::string>& options) {
    std::vector<std::string> argv{std::string(paths::source_root) + "/scripts/demo", "--build",
                                  std::string(paths::build_root)};
    argv.insert(argv.end(), options.begin(), options.end());
    SpawnOptions spawn_options;
    spawn_options.environment = {{"TMPDIR", temporary_.path()}};
    demo_ = std::make_unique<ChildProcess>(ChildProcess::spawn(argv, spawn_options));
    wait_until_it_shows("Booting a VM");
    const std::filesystem::path data = only_entry_of(temporary_.path());
    id_ = only_entry_of(data / "guests").filename();
    EXPECT_TRUE(std::filesystem::exists(tap()));
  }

  void wait_until_it_shows(std::string_view text) {
    if (!eventually([&] { return demo_->captured_out().find(text) != std::string::npos; },
                    minutes(5))) {
      throw std::runtime_error("the demo does not show '" + std::string(text) + "' but\n" +
                               demo_->captured_out() + demo_->captured_err());
    }
  }

  void expect_end(const ExitStatus& status) {
    EXPECT_EQ(demo_->wait(minutes(5)), status) << demo_->captured_out();
    EXPECT_EQ(demo_->captured_err(), "");
    EXPECT_TRUE(demo_->captured_out().ends_with(" are gone.\n")) << demo_->captured_out();
    EXPECT_TRUE(std::filesystem::is_empty(temporary_.path()));
    EXPECT_FALSE(std::filesystem::exists(tap()));
    EXPECT_FALSE(is_on_a_command_line(id_));
    EXPECT_FALSE(is_on_a_command_line(temporary_.path()));
    EXPECT_FALSE(is_mounted(mountpoint));
    EXPECT_EQ(std::filesystem::exists(mountpoint), had_mountpoint_);
  }

  [[nodiscard]] const ChildProcess& demo() const { return *demo_; }

 private:
  static std::filesystem::path only_entry_of(const std::filesystem::path& directory) {
    return std::filesystem::directory_iterator(directory)->path();
  }

  [[nodiscard]] std::filesystem::path tap() const {
    return "/sys/class/net/hype-" + id_.substr(0, 8);
  }

  TemporaryDirectory temporary_;
  bool had_mountpoint_ = std::filesystem::exists(mountpoint);
  std::unique_ptr<ChildProcess> demo_;
  std::string id_;
};

TEST_F(DemoTest, OneRoundShowsTheFilesChange) {
  start({"--once"});
  expect_end({.code = 0, .signal = 0});
  for (const std::string_view shown :
       {"network_rx_bytes              180  +180\n", "network_tx_bytes              210  +210\n",
        R"("instance_name": "my-web-server")"}) {
    EXPECT_NE(demo().captured_out().find(shown), std::string::npos) << demo().captured_out();
  }
}

TEST_F(DemoTest, OneRoundShowsTheSummaryMove) {
  start({"--once"});
  expect_end({.code = 0, .signal = 0});
  std::istringstream out{demo().captured_out()};
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) {
    if (line.starts_with("my-web-server running ")) {
      lines.push_back(line);
    }
  }
  ASSERT_EQ(lines.size(), 2U) << demo().captured_out();
  EXPECT_NE(lines.front(), lines.back());
  EXPECT_NE(lines.back().find("    180    210 "), std::string::npos) << lines.back();
}

TEST_F(DemoTest, ShowsTheSameOverHttp) {
  if (!std::filesystem::exists(std::filesystem::path(paths::build_root) /
                               "httpbridge/hypeman-stats-bridge")) {
    GTEST_SKIP() << "built with -Dhttpbridge=false";
  }
  start({"--once"});
  expect_end({.code = 0, .signal = 0});
  const std::string shown = demo().captured_out();
  const std::size_t request = shown.find("$ curl http://127.0.0.1:8080/instances/");
  ASSERT_NE(request, std::string::npos) << shown;
  EXPECT_NE(shown.find(R"("instance_name": "my-web-server")", request), std::string::npos) << shown;
}

TEST_F(DemoTest, LeavesNothingBehindIfStoppedDuringTheBoot) {
  start({});
  demo().send_signal(SIGTERM);
  expect_end({.code = 128 + SIGTERM, .signal = 0});
}

TEST_F(DemoTest, LeavesNothingBehindIfStoppedWhileItRuns) {
  start({});
  wait_until_it_shows("Ctrl-C ends it");
  for (const std::string_view command :
       {"  cat /", "  watch -n1 cat /", "  jq . /", "  curl http://"}) {
    EXPECT_NE(demo().captured_out().find(command), std::string::npos) << demo().captured_out();
  }
  demo().send_signal(SIGINT);
  expect_end({.code = 128 + SIGINT, .signal = 0});
}

}  // namespace
}  // namespace hypeman::tests
