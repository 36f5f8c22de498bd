#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Parts of Prometheus's text exposition format 0.0.4.
namespace hypeman::collector {

/// Appends the lines before the series of a metric family. `help` holds no newline or backslash.
void append_family(std::string_view name, std::string_view type, std::string_view help,
                   std::string& out);

/// Appends the value of a label without the quotes.
void append_label_value(std::string_view text, std::string& out);

/// Appends comment lines until `out` has `size` bytes. Prometheus's own parsers do not accept
/// spaces at the end of a line. Does nothing if `out` has that size already.
void fill_with_comments(std::string& out, std::size_t size);

}  // namespace hypeman::collector
