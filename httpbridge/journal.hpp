#pragma once

#include <string>
#include <string_view>

namespace hypeman::httpbridge {

/// Makes spdlog write to standard error as journald wants it: `<6>text`, the number being the
/// syslog level.
void log_for_journal();

/// `text` fit for one log line: bytes that are no printable ASCII, and backslashes, as `\xNN`; cut
/// after 256 bytes.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace hypeman::httpbridge
