#include "tests/support/threads.hpp"

#include <sched.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): tgkill()

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/data_directory.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

std::filesystem::path tasks_of(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/task";
}

/// "S" while the thread sleeps.
char state_of(pid_t pid, pid_t tid) {
  std::ifstream file{tasks_of(pid) / std::to_string(tid) / "stat"};
  std::string text;
  std::getline(file, text);
  const auto end_of_name = text.rfind(')');
  return end_of_name == std::string::npos ? '?' : text.at(end_of_name + 2);
}

void send(pid_t pid, pid_t tid, int signal) {
  if (::tgkill(pid, tid, signal) != 0) {
    throw errno_error("tgkill");
  }
}

ChildProcess start(const std::string& socket_path, const std::vector<std::string>& names,
                   const std::vector<std::string>& later) {
  std::vector<std::string> options{"--threads"};
  options.insert(options.end(), names.begin(), names.end());
  options.emplace_back("--later");
  options.insert(options.end(), later.begin(), later.end());
  return start_stand_in_with(options, socket_path);
}

}  // namespace

ThreadTimes thread_times(pid_t pid, pid_t tid) {
  const auto path = tasks_of(pid) / std::to_string(tid) / "schedstat";
  ThreadTimes times;
  if (!(std::ifstream{path} >> times.run >> times.wait)) {
    throw std::runtime_error{path.string() + ": cannot be read"};
  }
  return times;
}

std::optional<pid_t> find_thread(pid_t pid, std::string_view name) {
  for (const auto& task : std::filesystem::directory_iterator{tasks_of(pid)}) {
    std::ifstream file{task.path() / "comm"};
    std::string text;
    if (std::getline(file, text) && text == name) {
      return std::stoi(task.path().filename());
    }
  }
  return std::nullopt;
}

void pin_to_one_cpu(pid_t tid) {
  cpu_set_t all;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) {
    throw errno_error("sched_getaffinity");
  }
  std::size_t first = 0;
  while (!CPU_ISSET(first, &all)) {
    ++first;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  if (::sched_setaffinity(tid, sizeof one, &one) != 0) {
    throw errno_error("sched_setaffinity");
  }
}

ThreadedStandIn::ThreadedStandIn(const std::string& socket_path, std::vector<std::string> names,
                                 std::vector<std::string> later)
    : later_{std::move(later)}, process_{start(socket_path, names, later_)} {
  for (const auto& name : names) {
    await(name);
    await_idle(name);
  }
}

pid_t ThreadedStandIn::tid(std::string_view name) const {
  const auto found = find_thread(pid(), name);
  if (!found) {
    throw std::runtime_error{"no thread " + std::string{name}};
  }
  return *found;
}

ThreadTimes ThreadedStandIn::times(std::string_view name) const {
  return thread_times(pid(), tid(name));
}

void ThreadedStandIn::toggle_busy(std::string_view name) const {
  send(pid(), tid(name), SIGUSR1);
}

void ThreadedStandIn::await_idle(std::string_view name) const {
  if (!eventually([&] { return state_of(pid(), tid(name)) == 'S'; })) {
    throw std::runtime_error{"thread " + std::string{name} + " does not sleep"};
  }
}

void ThreadedStandIn::end(std::string_view name) const {
  send(pid(), tid(name), SIGUSR2);
  if (!eventually([&] { return !find_thread(pid(), name); })) {
    throw std::runtime_error{"thread " + std::string{name} + " does not end"};
  }
}

void ThreadedStandIn::start_next() {
  const auto name = later_.front();
  later_.erase(later_.begin());
  send(pid(), pid(), SIGUSR1);
  await(name);
  await_idle(name);
}

void ThreadedStandIn::await(std::string_view name) const {
  if (!eventually([&] { return find_thread(pid(), name).has_value(); })) {
    throw std::runtime_error{"thread " + std::string{name} + " does not start"};
  }
}

}  // namespace hypeman::tests
