#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace hypeman::collector {

/// The value of a statistic. Text refers to the record of the sample.
using Value = std::variant<std::uint64_t, double, std::string_view>;

/// append_value() writes no number longer than this. A 64-bit number has up to 20 digits; a
/// quotient of two of them has up to 17 digits behind "0." and 19 zeros.
inline constexpr std::size_t max_number_size = 38;

/// Appends a value as plain text: whole numbers in decimal, others as the shortest decimal that
/// reads back as the same number (`29.94`, `0`, `0.125`; never an exponent), text as it is.
void append_value(const Value& value, std::string& out);

/// Appends the content of a value's own file: the value and a newline. Control characters and
/// backslashes of text are written in octal (`\012`), as procfs does, so that it stays one line.
void append_value_line(const Value& value, std::string& out);

}  // namespace hypeman::collector
