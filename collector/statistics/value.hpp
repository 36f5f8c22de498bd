#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace hypeman::collector {

/// The value of a statistic. Text refers to the record of the sample.
using Value = std::variant<std::uint64_t, double, std::string_view>;

/// No number that append_value() writes is longer. A 64-bit number has up to 20 digits. A quotient
/// of two such numbers has up to 17 digits after "0." and 19 zeros.
inline constexpr std::size_t max_integer_size = 20;
inline constexpr std::size_t max_number_size = 38;

/// Appends a value as plain text. A fraction becomes the shortest decimal that parses to the same
/// number, without an exponent (`29.94`, `0`, `0.125`). Text is not changed.
void append_value(const Value& value, std::string& out);

/// Appends the content of the value's file: the value and a newline. Control characters and
/// backslashes are written in octal (`\012`), as in procfs, so that the content is one line.
void append_value_line(const Value& value, std::string& out);

}  // namespace hypeman::collector
