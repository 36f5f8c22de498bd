#include "fs/log.hpp"

#include <sys/syslog.h>

#include <cstdlib>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>

namespace hypeman::fs {
namespace {

constexpr auto program = "hypeman-statsfs";

/// The level as the journal reads it from the beginning of a line: `<4>`.
class PriorityPrefix final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const int priority = message.level >= spdlog::level::err    ? LOG_ERR
                         : message.level == spdlog::level::warn ? LOG_WARNING
                                                                : LOG_INFO;
    out.push_back('<');
    out.push_back(static_cast<char>('0' + priority));
    out.push_back('>');
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PriorityPrefix>();
  }
};

std::unique_ptr<spdlog::formatter> make_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (std::getenv("JOURNAL_STREAM") != nullptr) {
    formatter->add_flag<PriorityPrefix>('*').set_pattern("%*%v");
  } else {
    formatter->set_pattern("%n: %l: %v");
  }
  return formatter;
}

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(bool foreground) {
  if (foreground) {
    auto logger = std::make_shared<spdlog::logger>(
        program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(make_formatter());
    logger->flush_on(spdlog::level::trace);
    return logger;
  }
  auto logger = std::make_shared<spdlog::logger>(
      program, std::make_shared<spdlog::sinks::syslog_sink_mt>(program, LOG_PID, LOG_DAEMON,
                                                               /*enable_formatting=*/false));
  return logger;
}

}  // namespace hypeman::fs
