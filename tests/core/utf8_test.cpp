// Goal: what is UTF-8 is read, what is not is told. Method: the edges of every length, and each way to be wrong.
#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace conceptd {
namespace {

TEST(Utf8, ReadsTheFirstAndTheLastCharacterOfEveryLength) {
  const std::pair<std::string, char32_t> known[] = {{"A", U'A'},
                                                    {"\x7f", 0x7f},
                                                    {"\xc2\x80", 0x80},
                                                    {"\xdf\xbf", 0x7ff},
                                                    {"\xe0\xa0\x80", 0x800},
                                                    {"\xed\x9f\xbf", 0xd7ff},
                                                    {"\xee\x80\x80", 0xe000},
                                                    {"\xef\xbf\xbf", 0xffff},
                                                    {"\xf0\x90\x80\x80", 0x10000},
                                                    {"\xf4\x8f\xbf\xbf", 0x10ffff},
                                                    {std::string(1, '\0'), 0}};
  for (const auto& [text, code] : known) {
    const auto first = first_utf8(text + "x");
    EXPECT_EQ(first.code, code);
    EXPECT_EQ(first.bytes, text.size()) << static_cast<std::uint32_t>(code);
  }
}

TEST(Utf8, KnowsWhatIsNot) {
  for (const std::string text : {"\x80", "\xff", "\xc1\xbf", "\xf5\x80\x80\x80",  // no such lead
                                 "\xc3", "\xe2\x82", "\xf0\x90\x80",              // cut off
                                 "\xc3x", "\xe2\x82x", "\xf0\x90\x80x",           // not gone on with
                                 "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",              // longer than need be
                                 "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", ""}) {
    EXPECT_EQ(first_utf8(text).bytes, 0u) << text;
  }
}

}  // namespace
}  // namespace conceptd
