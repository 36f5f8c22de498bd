#include "tests/support/xml_text.hpp"

#include <cstddef>
#include <cstdint>

namespace hypeman::tests {
namespace {

/// The number of leading one bits of a byte, which UTF-8 uses for the length.
struct Lead {
  std::size_t length = 0;      ///< of the sequence, in bytes; 0 if the byte starts no sequence
  std::uint32_t bits = 0;      ///< of the character
  std::uint32_t smallest = 0;  ///< character that needs this length
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80U) {
    return {.length = 1, .bits = byte, .smallest = 0};
  }
  if ((byte & 0xE0U) == 0xC0U) {
    return {.length = 2, .bits = byte & 0x1FU, .smallest = 0x80};
  }
  if ((byte & 0xF0U) == 0xE0U) {
    return {.length = 3, .bits = byte & 0x0FU, .smallest = 0x800};
  }
  if ((byte & 0xF8U) == 0xF0U) {
    return {.length = 4, .bits = byte & 0x07U, .smallest = 0x10000};
  }
  return {};
}

/// The production Char of XML 1.0.
bool is_xml_character(std::uint32_t character) {
  return character == '\t' || character == '\n' || character == '\r' ||
         (character >= 0x20 && character <= 0xD7FF) ||
         (character >= 0xE000 && character <= 0xFFFD) ||
         (character >= 0x10000 && character <= 0x10FFFF);
}

/// The length of the first character of the text. 0 if XML does not allow this character.
std::size_t character_length(std::string_view text) {
  const Lead lead = lead_of(static_cast<unsigned char>(text.front()));
  if (lead.length == 0 || lead.length > text.size()) {
    return 0;
  }
  std::uint32_t character = lead.bits;
  for (const char next : text.substr(1, lead.length - 1)) {
    const auto byte = static_cast<unsigned char>(next);
    if ((byte & 0xC0U) != 0x80U) {
      return 0;
    }
    character = (character << 6U) | (byte & 0x3FU);
  }
  return character >= lead.smallest && is_xml_character(character) ? lead.length : 0;
}

}  // namespace

std::string xml_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    if (length == 0) {
      text += '?';
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

}  // namespace hypeman::tests
