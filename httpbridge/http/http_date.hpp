#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace hypeman::httpbridge {

/// The value of the Date header. Formats it once per second.
class HttpDate {
 public:
  /// The text is valid until the next call.
  [[nodiscard]] std::string_view now();

 private:
  std::time_t time_ = 0;
  std::string text_;
};

}  // namespace hypeman::httpbridge
