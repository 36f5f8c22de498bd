#include "base/logging.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/base_sink.h>

#include "base/unique_fd.hpp"

namespace hypeman::tests {
namespace {

TEST(Printable, EscapesCharactersThatCouldForgeALogLine) {
  EXPECT_EQ(printable("/a?b"), "/a?b");
  EXPECT_EQ(printable("a\n<3>b\x1b\x7f\xff\\ "), "a\\x0a<3>b\\x1b\\x7f\\xff\\x5c\\x20");
  EXPECT_EQ(printable(std::string(300, 'a')), std::string(256, 'a') + "...");
}

/// A log that blocks until it is opened, and remembers its lines.
class BlockedSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void open() {
    const std::lock_guard lock{opening_};
    open_ = true;
    changed_.notify_all();
  }
  /// Waits until a line is blocked here.
  void await_line() {
    std::unique_lock lock{opening_};
    changed_.wait(lock, [this] { return entered_; });
  }
  [[nodiscard]] std::vector<std::string> lines() {
    const std::lock_guard lock{mutex_};
    return lines_;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    std::unique_lock lock{opening_};
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    lines_.emplace_back(line.payload.data(), line.payload.size());
  }
  void flush_() override {}

 private:
  std::mutex opening_;
  std::condition_variable changed_;
  bool entered_ = false;
  bool open_ = false;
  std::vector<std::string> lines_;
};

/// What stderr_logger() writes to a file, which may be the journal.
std::string line_in_a_log(bool is_journal) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> log{std::tmpfile(), &std::fclose};
  struct stat file {};
  ::fstat(::fileno(log.get()), &file);
  const auto inode = file.st_ino + (is_journal ? 0 : 1);
  ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", file.st_dev, inode).c_str(), 1);
  const UniqueFd standard_error{::dup(STDERR_FILENO)};
  ::dup2(::fileno(log.get()), STDERR_FILENO);
  stderr_logger("program")->warn("text");
  ::dup2(standard_error.get(), STDERR_FILENO);
  ::unsetenv("JOURNAL_STREAM");
  std::array<char, 100> line{};
  const auto length = ::pread(::fileno(log.get()), line.data(), line.size(), 0);
  return {line.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

TEST(StderrLogger, WritesThePriorityOnlyForTheJournal) {
  EXPECT_EQ(line_in_a_log(true), "<4>text\n");
  EXPECT_EQ(line_in_a_log(false), "program: warning: text\n");
}

TEST(QueueingLogger, KeepsTheNewestLinesWhileTheLogIsBlocked) {
  const auto sink = std::make_shared<BlockedSink>();
  const auto logger = queueing_logger(spdlog::logger{"test", sink});
  logger->info("first");
  sink->await_line();
  for (int number = 1; number <= 1500; ++number) {
    logger->info("{}", number);
  }
  sink->open();
  logger->flush();
  const auto lines = sink->lines();
  ASSERT_EQ(lines.size(), 1002U);
  EXPECT_EQ(lines[0], "first");
  EXPECT_EQ(lines[1], "500 log lines are lost, because the log is too slow");
  EXPECT_EQ(lines[2], "501");
  EXPECT_EQ(lines.back(), "1500");
}

TEST(QueueingLogger, FlushDoesNotWaitForABlockedLog) {
  const auto sink = std::make_shared<BlockedSink>();
  const auto logger = queueing_logger(spdlog::logger{"test", sink});
  logger->info("line");
  sink->await_line();
  logger->flush();
  sink->open();
  logger->flush();
  EXPECT_EQ(sink->lines(), std::vector<std::string>{"line"});
}

}  // namespace
}  // namespace hypeman::tests
