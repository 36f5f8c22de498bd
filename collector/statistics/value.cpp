#include "collector/statistics/value.hpp"

#include <array>
#include <charconv>

namespace hypeman::collector {
namespace {

void append_escaped(std::string_view text, std::string& out) {
  constexpr unsigned char first_printable = 0x20;
  constexpr unsigned char del = 0x7f;
  for (const auto character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= first_printable && byte != del && character != '\\') {
      out += character;
      continue;
    }
    out += '\\';
    for (const int shift : {6, 3, 0}) {
      out += static_cast<char>('0' + ((byte >> shift) & 7));
    }
  }
}

struct AppendPlain {
  std::string& out;

  void operator()(std::uint64_t number) const {
    std::array<char, 20> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): to_chars
    const auto result = std::to_chars(buffer.begin(), buffer.end(), number);
    out.append(buffer.begin(), result.ptr);
  }
  void operator()(double number) const {
    // No exponent: a shell cannot calculate with 1e+05. The smallest double above 0 has 324
    // decimals.
    std::array<char, 400> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): to_chars
    const auto result =
        std::to_chars(buffer.begin(), buffer.end(), number, std::chars_format::fixed);
    out.append(buffer.begin(), result.ptr);
  }
  void operator()(std::string_view text) const { out.append(text); }
};

}  // namespace

void append_value(const Value& value, std::string& out) {
  std::visit(AppendPlain{out}, value);
}

void append_value_line(const Value& value, std::string& out) {
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    append_escaped(*text, out);
  } else {
    append_value(value, out);
  }
  out += '\n';
}

}  // namespace hypeman::collector
