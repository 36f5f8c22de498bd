#pragma once

#include <string>

#include "collector/statistics/field.hpp"

namespace hypeman::collector {

/// Appends a value as plain text: whole numbers in decimal, others as the shortest decimal that
/// reads back the same (`29.94`, `0`, `0.125`, never an exponent), text as it is.
void append_value(const Value& value, std::string& out);

/// Appends the content of a field's own file: the value and a newline. So that it stays one line,
/// control characters and backslashes of text are written in octal (`\012`), as procfs does.
void append_field_text(const Value& value, std::string& out);

}  // namespace hypeman::collector
