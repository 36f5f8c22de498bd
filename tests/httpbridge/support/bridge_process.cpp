#include "tests/httpbridge/support/bridge_process.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/httpbridge/support/eventually.hpp"

namespace hypeman::httpbridge::testing {
namespace {

namespace fs = std::filesystem;

constexpr int listen_fds_start = 3;

/// Runs in the child. Executes the program, or exits.
[[noreturn]] void become(const std::vector<std::string>& command, const std::string& log,
                         int activated, BridgeProcess::Rights rights) {
  const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  // As if the log were the journal.
  struct stat file {};
  ::fstat(log_fd, &file);
  const auto journal = std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  ::setenv("JOURNAL_STREAM", journal.c_str(), 1);
  if (activated >= 0) {
    if (activated == listen_fds_start) {
      ::fcntl(activated, F_SETFD, 0);
    } else {
      ::dup2(activated, listen_fds_start);
    }
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  }
  if (rights == BridgeProcess::Rights::only_its_own_files) {
    ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
    ::prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
  }
  std::vector<char*> arguments;
  std::transform(command.begin(), command.end(), std::back_inserter(arguments),
                 [](const std::string& argument) { return const_cast<char*>(argument.c_str()); });
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::_exit(127);
}

}  // namespace

BridgeProcess::BridgeProcess(const std::vector<std::string>& arguments, UniqueFd activated,
                             Rights rights) {
  const char* program = std::getenv("HYPEMAN_STATS_BRIDGE");
  if (program == nullptr) {
    ADD_FAILURE() << "HYPEMAN_STATS_BRIDGE does not name the program to test";
    return;
  }
  std::vector<std::string> command{program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const std::string log = place_.path() / "log";
  pid_ = ::fork();
  if (pid_ == 0) {
    become(command, log, activated.get(), rights);
  }
}

BridgeProcess::~BridgeProcess() {
  if (pid_ > 0 && !status_) {
    signal(SIGTERM);
    EXPECT_EQ(wait(), 0) << log();
  }
  if (::testing::Test::HasFailure()) {
    std::cerr << log();
  }
}

std::string BridgeProcess::address(std::size_t which) {
  constexpr std::string_view announcement = "<6>listening at ";
  std::string found;
  const bool listens = eventually([&] {
    std::ifstream lines{place_.path() / "log"};
    std::size_t seen = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(announcement) && seen++ == which && !lines.eof()) {
        found = line.substr(announcement.size());
        return true;
      }
    }
    return false;
  });
  EXPECT_TRUE(listens) << log();
  return found;
}

void BridgeProcess::signal(int number) const {
  ::kill(pid_, number);
}

int BridgeProcess::wait() {
  constexpr int killed = 128;
  int status = 0;
  const bool ended =
      status_ || eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    ADD_FAILURE() << "the bridge does not end";
    signal(SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  if (!status_) {
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : killed + WTERMSIG(status);
  }
  return *status_;
}

bool BridgeProcess::logs(std::string_view text) const {
  return eventually([&] { return log().find(text) != std::string::npos; });
}

std::string BridgeProcess::log() const {
  return read_file(place_.path() / "log");
}

std::size_t BridgeProcess::open_descriptors() const {
  const auto entries = fs::directory_iterator{"/proc/" + std::to_string(pid_) + "/fd"};
  return static_cast<std::size_t>(std::distance(fs::begin(entries), fs::end(entries)));
}

std::size_t BridgeProcess::resident_bytes() const {
  std::ifstream statm{"/proc/" + std::to_string(pid_) + "/statm"};
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace hypeman::httpbridge::testing
