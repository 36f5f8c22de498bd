#include "base/decimal.hpp"

#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(ParseDecimal, AcceptsTheWholeRangeOfTheType) {
  EXPECT_EQ(parse_decimal<std::uint64_t>("0"), 0U);
  EXPECT_EQ(parse_decimal<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_decimal<std::int32_t>("-2147483648"), INT32_MIN);
}

TEST(ParseDecimal, RefusesNumbersThatDoNotFit) {
  EXPECT_EQ(parse_decimal<std::uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_decimal<std::uint8_t>("256"), std::nullopt);
}

TEST(ParseDecimal, RefusesOtherCharacters) {
  for (const auto* text : {"", " ", " 1", "1 ", "1\n", "+1", "0x1", "1e3", "1.0", "1,000", "one"}) {
    EXPECT_EQ(parse_decimal<std::uint64_t>(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(ParseDecimal, RefusesASignForAnUnsignedType) {
  EXPECT_EQ(parse_decimal<std::uint64_t>("-1"), std::nullopt);
}

}  // namespace
}  // namespace hypeman::tests
