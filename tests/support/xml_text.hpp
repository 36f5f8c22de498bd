#pragma once

#include <string>
#include <string_view>

namespace hypeman::tests {

/// The text with every byte that an XML document in UTF-8 cannot hold replaced by "?".
[[nodiscard]] std::string xml_text(std::string_view bytes);

}  // namespace hypeman::tests
