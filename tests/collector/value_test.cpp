#include "collector/statistics/value.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using collector::append_value;
using collector::append_value_line;
using collector::Value;

std::string plain(const Value& value) {
  std::string text;
  append_value(value, text);
  return text;
}

std::string field_text(const Value& value) {
  std::string text;
  append_value_line(value, text);
  return text;
}

TEST(FieldText, NumbersAreShortestDecimals) {
  EXPECT_EQ(field_text(29.94), "29.94\n");
  EXPECT_EQ(field_text(0.0), "0\n");
  EXPECT_EQ(field_text(0.125), "0.125\n");
  EXPECT_EQ(field_text(0.1), "0.1\n");
  EXPECT_EQ(field_text(1.0), "1\n");
  EXPECT_EQ(field_text(0.103), "0.103\n");
}

TEST(FieldText, NumbersNeverHaveAnExponent) {
  EXPECT_EQ(field_text(100000.0), "100000\n");
  EXPECT_EQ(field_text(1e7), "10000000\n");
  EXPECT_EQ(field_text(1e22), "10000000000000000000000\n");
  EXPECT_EQ(field_text(1e-7), "0.0000001\n");
  EXPECT_EQ(field_text(1.5e-5), "0.000015\n");
}

TEST(FieldText, ExtremeNumbersParseToTheSameNumbers) {
  for (const double number :
       {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
        std::numeric_limits<double>::denorm_min(), 2.2250738585072011e-308, 1.0 / 3.0, 123456789.01,
        184467440737095516.15}) {
    const auto text = plain(number);
    EXPECT_EQ(text.find_first_not_of("0123456789."), std::string::npos) << text;
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), number) << text;
  }
}

TEST(FieldText, WholeNumbersAreDecimal) {
  EXPECT_EQ(field_text(std::uint64_t{0}), "0\n");
  EXPECT_EQ(field_text(std::uint64_t{4294967296}), "4294967296\n");
  EXPECT_EQ(field_text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615\n");
}

TEST(FieldText, TextIsNotChanged) {
  EXPECT_EQ(field_text(std::string_view{"my-web-server"}), "my-web-server\n");
  EXPECT_EQ(field_text(std::string_view{""}), "\n");
  EXPECT_EQ(field_text(std::string_view{"a \"b\" 'c' $d ~"}), "a \"b\" 'c' $d ~\n");
  EXPECT_EQ(field_text(std::string_view{"\u00e9\U0001F600"}), "\u00e9\U0001F600\n");
}

TEST(FieldText, TextStaysOneLine) {
  EXPECT_EQ(field_text(std::string_view{"two\nlines"}), "two\\012lines\n");
  EXPECT_EQ(field_text(std::string_view("\0\x1b[31m\t\x7f", 8)), "\\000\\033[31m\\011\\177\n");
}

TEST(FieldText, TextThatLooksLikeAnEscapeIsEscaped) {
  EXPECT_EQ(field_text(std::string_view{"\\012"}), "\\134012\n");
}

TEST(FieldText, AppendsToExistingText) {
  std::string text = "cpu ";
  append_value(29.94, text);
  EXPECT_EQ(text, "cpu 29.94");
  append_value_line(std::uint64_t{1}, text);
  EXPECT_EQ(text, "cpu 29.941\n");
}

TEST(FieldText, APlainValueIsNotEscaped) {
  EXPECT_EQ(plain(std::string_view{"a\n\\"}), "a\n\\");
}

}  // namespace
}  // namespace hypeman::tests
