#include "base/logging.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/common.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/details/log_msg_buffer.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <syslog.h>

namespace hypeman {
namespace {

int syslog_level(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
      return LOG_CRIT;
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::info:
      return LOG_INFO;
    default:
      return LOG_DEBUG;
  }
}

/// Whether systemd has connected the stream to the journal. systemd stores the device and the inode
/// of the stream in JOURNAL_STREAM, because the variable is inherited even if the stream changes.
bool is_journal(int stream) {
  struct stat status {};
  const auto* const journal = std::getenv("JOURNAL_STREAM");
  return journal != nullptr && ::fstat(stream, &status) == 0 &&
         journal == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

class SyslogLevel final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& to) override {
    fmt::format_to(std::back_inserter(to), "{}", syslog_level(message.level));
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<SyslogLevel>();
  }
};

/// The lines that wait for the thread that writes them.
class LineQueue {
 public:
  void push(const spdlog::details::log_msg& line) {
    {
      const std::lock_guard lock{mutex_};
      if (lines_.size() == max_lines) {
        lines_.pop_front();
        ++lost_;
      }
      lines_.emplace_back(line);
    }
    changed_.notify_all();
  }

  /// Writes the lines until the queue is closed and empty. Holds no lock while it writes.
  void write_to(const std::vector<spdlog::sink_ptr>& sinks) {
    std::unique_lock lock{mutex_};
    for (;;) {
      changed_.wait(lock, [this] { return closed_ || !lines_.empty(); });
      if (lines_.empty()) {
        return;
      }
      const auto line = std::move(lines_.front());
      lines_.pop_front();
      const auto lost = std::exchange(lost_, 0);
      writing_ = true;
      lock.unlock();
      if (lost != 0) {
        const auto text = fmt::format("{} log lines are lost, because the log is too slow", lost);
        write({line.logger_name, spdlog::level::warn, text}, sinks);
      }
      write(line, sinks);
      lock.lock();
      writing_ = false;
      changed_.notify_all();
    }
  }

  void wait_until_written() {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, flush_timeout, [this] { return lines_.empty() && !writing_; });
  }

  void close() {
    {
      const std::lock_guard lock{mutex_};
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  static constexpr std::size_t max_lines = 1000;
  static constexpr std::chrono::milliseconds flush_timeout{500};

  static void write(const spdlog::details::log_msg& line,
                    const std::vector<spdlog::sink_ptr>& sinks) {
    for (const auto& sink : sinks) {
      sink->log(line);
      sink->flush();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<spdlog::details::log_msg_buffer> lines_;
  std::size_t lost_ = 0;
  bool writing_ = false;
  bool closed_ = false;
};

/// Puts the lines into a queue. A thread writes them. The thread keeps the queue until it ends,
/// because it may hang in a write for ever.
class QueueingSink final : public spdlog::sinks::sink {
 public:
  explicit QueueingSink(std::vector<spdlog::sink_ptr> sinks) {
    std::thread{[queue = queue_, to = std::move(sinks)] { queue->write_to(to); }}.detach();
  }
  QueueingSink(const QueueingSink&) = delete;
  QueueingSink& operator=(const QueueingSink&) = delete;
  QueueingSink(QueueingSink&&) = delete;
  QueueingSink& operator=(QueueingSink&&) = delete;
  ~QueueingSink() override { queue_->close(); }

  void log(const spdlog::details::log_msg& line) override { queue_->push(line); }
  void flush() override { queue_->wait_until_written(); }
  // The sinks that write the lines have their own formatters.
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

 private:
  std::shared_ptr<LineQueue> queue_ = std::make_shared<LineQueue>();
};

}  // namespace

std::shared_ptr<spdlog::logger> stderr_logger(const std::string& name) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogLevel>('*').set_pattern(is_journal(STDERR_FILENO) ? "<%*>%v"
                                                                              : "%n: %l: %v");
  auto logger =
      std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::shared_ptr<spdlog::logger> queueing_logger(const spdlog::logger& direct) {
  auto logger = std::make_shared<spdlog::logger>(direct.name(),
                                                 std::make_shared<QueueingSink>(direct.sinks()));
  logger->set_level(direct.level());
  return logger;
}

std::string printable(std::string_view text) {
  constexpr std::size_t max_bytes = 256;
  std::string safe;
  for (const char c : text.substr(0, max_bytes)) {
    if (c > ' ' && c <= '~' && c != '\\') {
      safe.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(safe), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > max_bytes) {
    safe += "...";
  }
  return safe;
}

}  // namespace hypeman
