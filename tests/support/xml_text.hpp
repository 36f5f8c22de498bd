#pragma once

#include <string>
#include <string_view>

namespace hypeman::tests {

/// Replaces every byte that is not allowed in an XML document in UTF-8 with "?".
[[nodiscard]] std::string xml_text(std::string_view bytes);

}  // namespace hypeman::tests
