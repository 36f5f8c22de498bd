#include "httpbridge/http/http_date.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace hypeman::httpbridge {

std::string_view HttpDate::now() {
  const std::time_t now = std::time(nullptr);
  if (now != time_) {
    time_ = now;
    text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return text_;
}

}  // namespace hypeman::httpbridge
