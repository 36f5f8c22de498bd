#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace hypeman {

/// Parses the whole of `text` as a decimal number. Returns nothing if `text` holds anything else or
/// the number does not fit.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_decimal(std::string_view text) {
  T value{};
  const auto* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || parsed != end) {
    return std::nullopt;
  }
  return value;
}

}  // namespace hypeman
