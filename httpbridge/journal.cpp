#include "httpbridge/journal.hpp"

#include <ctime>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

namespace hypeman::httpbridge {
namespace {

constexpr std::size_t max_logged_bytes = 256;

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

class SyslogLevelFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& to) override {
    fmt::format_to(std::back_inserter(to), "{}", syslog_level(message.level));
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<SyslogLevelFlag>();
  }
};

}  // namespace

void log_for_journal() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogLevelFlag>('*').set_pattern("<%*>%v");
  auto logger = std::make_shared<spdlog::logger>("hypeman-stats-bridge",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(std::move(logger));
}

std::string printable(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, max_logged_bytes)) {
    if (c > ' ' && c <= '~' && c != '\\') {
      safe.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(safe), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > max_logged_bytes) {
    safe += "...";
  }
  return safe;
}

}  // namespace hypeman::httpbridge
