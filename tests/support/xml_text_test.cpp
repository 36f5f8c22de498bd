#include "tests/support/xml_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using std::string_literals::operator""s;

TEST(XmlText, KeepsValidCharacters) {
  for (const auto& text : {""s, "a\tb\r\nc"s, "<a>&amp;</a>"s, "\xc3\xbc"s, "\xe2\x82\xac"s,
                           "\xf0\x9f\x98\x80"s, "\xef\xbf\xbd"s}) {
    EXPECT_EQ(xml_text(text), text);
  }
}

TEST(XmlText, ReplacesControlCharacters) {
  EXPECT_EQ(xml_text("a\0b\x01\x1b\x7f"s), "a?b??\x7f");
}

TEST(XmlText, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(xml_text("\xff\xfe"), "??");
  EXPECT_EQ(xml_text("\x80x"), "?x");
  EXPECT_EQ(xml_text("\xc3"), "?") << "ends within a character";
  EXPECT_EQ(xml_text("\xc3x"), "?x");
  EXPECT_EQ(xml_text("\xc0\x80"), "??") << "longer than it needs to be";
}

TEST(XmlText, ReplacesCharactersThatXmlForbids) {
  EXPECT_EQ(xml_text("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(xml_text("\xef\xbf\xbe"), "???") << "U+FFFE";
  EXPECT_EQ(xml_text("\xf4\x90\x80\x80"), "????") << "beyond Unicode";
}

}  // namespace
}  // namespace hypeman::tests
