#include "base/logging.hpp"

#include <cstddef>
#include <ctime>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
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

}  // namespace

std::unique_ptr<spdlog::formatter> journal_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogLevel>('*').set_pattern("<%*>%v");
  return formatter;
}

std::shared_ptr<spdlog::logger> stderr_logger(const std::string& name,
                                              std::unique_ptr<spdlog::formatter> formatter) {
  auto logger =
      std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
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
