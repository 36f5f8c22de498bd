#include "tests/support/stats_mount.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

std::vector<std::string> daemon_arguments(const std::filesystem::path& data_directory,
                                          const std::filesystem::path& mountpoint,
                                          const std::vector<std::string>& options) {
  std::vector<std::string> arguments{std::string{paths::statsfs}, "-f", data_directory, mountpoint};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return arguments;
}

}  // namespace

ReadResult read_file(const std::filesystem::path& path) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) {
    return {.error = errno, .text = {}};
  }
  ReadResult result;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto length = ::read(fd.get(), buffer.data(), buffer.size());
    if (length < 0) {
      return {.error = errno, .text = {}};
    }
    if (length == 0) {
      return result;
    }
    result.text.append(buffer.data(), static_cast<std::size_t>(length));
  }
}

std::vector<std::string> list(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{directory}) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

bool is_mounted(const std::filesystem::path& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == FUSE_SUPER_MAGIC;
}

pid_t worker_of(pid_t keeper) {
  const auto name = std::to_string(keeper);
  const auto children = read_file("/proc/" + name + "/task/" + name + "/children");
  if (children.text.empty()) {
    throw std::runtime_error{"process " + name + " has no child"};
  }
  return std::stoi(children.text);
}

StatsMount::StatsMount(const std::filesystem::path& data_directory,
                       const std::vector<std::string>& options)
    : arguments_{daemon_arguments(data_directory, mountpoint_.path(), options)},
      daemon_{ChildProcess::spawn(arguments_)} {
  await_mount();
}

void StatsMount::start() {
  daemon_ = ChildProcess::spawn(arguments_);
  await_mount();
}

void StatsMount::await_mount() const {
  if (!eventually([&] { return is_mounted(path()); })) {
    throw std::runtime_error{"not mounted: " + log()};
  }
}

StatsMount::~StatsMount() {
  const auto status = stop();
  EXPECT_TRUE(status.has_value()) << "the daemon does not end";
  EXPECT_TRUE(status && status->success()) << "the daemon has failed: " << log();
  EXPECT_EQ(log().find("Sanitizer"), std::string::npos) << log();
  EXPECT_FALSE(is_mounted(path()));
  ::umount2(path().c_str(), MNT_DETACH);
}

std::vector<std::string> StatsMount::instances() const {
  auto names = list(path());
  for (const auto* const fixed : {"by-name", "instances.json", "metrics.prom", "summary"}) {
    if (std::erase(names, fixed) != 1) {
      throw std::runtime_error{std::string{fixed} + " is not listed once"};
    }
  }
  return names;
}

ReadResult StatsMount::read(std::string_view id, std::string_view file) const {
  return read_file(path() / id / file);
}

std::string StatsMount::value(std::string_view id, std::string_view file) const {
  auto result = read(id, file);
  if (result.error != 0) {
    throw std::system_error{result.error, std::generic_category(), std::string{file}};
  }
  if (!result.text.ends_with('\n')) {
    throw std::runtime_error{std::string{file} + " does not end with a newline: " + result.text};
  }
  result.text.pop_back();
  return result.text;
}

unsigned long long StatsMount::number(std::string_view id, std::string_view file) const {
  return std::stoull(value(id, file));
}

std::optional<ExitStatus> StatsMount::stop() {
  daemon_.send_signal(SIGTERM);
  return daemon_.wait(std::chrono::seconds{10});
}

}  // namespace hypeman::tests
