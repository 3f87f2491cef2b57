#include "cli/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/duration.h"

namespace conceptd::cli {
namespace {

TEST(Text, NumbersReadAsPeopleSayThem) {
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_bytes(25'400), "24.8 KB");
  EXPECT_EQ(human_bytes(3ll << 30), "3.0 GB");
  EXPECT_EQ(human_seconds(1.25), "1.2 s");
  EXPECT_EQ(human_seconds(59.7), "1 min 00 s");
  EXPECT_EQ(human_seconds(125), "2 min 05 s");
  EXPECT_EQ(human_seconds(12'000), "3 h 20 min");
  EXPECT_EQ(human_seconds(9 * 86'400 + 4 * 3600), "9 d 4 h");
  EXPECT_EQ(human_time("2026-11-21T01:14:05.123Z"), "2026-11-21 01:14");
  EXPECT_EQ(count_of(1, "photo"), "1 photo");
  EXPECT_EQ(count_of(0, "photo"), "0 photos");
}

TEST(Text, NothingFromOutsideMovesTheCursor) { EXPECT_EQ(printable("a\x1b[2J\nb\x7f"), "a?[2J?b?"); }

TEST(Text, WhatIsNotUtf8IsKnown) {
  for (const char* text : {"", "kettle", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xab\x96"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
    EXPECT_EQ(printable(text), text);
  }
  for (const char* text : {"\xff", "caf\xe9", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"})
    EXPECT_FALSE(is_utf8(text)) << printable(text);
  EXPECT_EQ(printable("caf\xe9 \xc3"), "caf? ?");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "2J"),
            "a?2J")
      << "a control character of two bytes";
}

TEST(Text, ColumnsStandStraight) {
  std::ostringstream out;
  print_table(out, {{"NAME", "N"}, {"caf\xc3\xa9", "1"}, {"kettle-7", "22"}});
  EXPECT_EQ(out.str(), "NAME      N\ncaf\xc3\xa9      1\nkettle-7  22\n");
}

TEST(Text, TheNearestWordIsOffered) {
  EXPECT_EQ(nearest("genrate", {"list", "generate", "status"}), std::vector<std::string>{"generate"});
  EXPECT_TRUE(nearest("xyz", {"list", "generate"}).empty());
}

TEST(Durations, AreANumberAndAUnit) {
  EXPECT_EQ(parse_duration("90")->seconds(), 90);
  EXPECT_EQ(parse_duration("10s")->seconds(), 10);
  EXPECT_EQ(parse_duration("45m")->seconds(), 2700);
  EXPECT_EQ(parse_duration("1.5h")->seconds(), 5400);
  EXPECT_EQ(parse_duration("30d")->seconds(), 30 * 86'400);
  EXPECT_TRUE(parse_duration("2h")->is_whole);
  EXPECT_FALSE(parse_duration("2.0h")->is_whole);
  EXPECT_EQ(parse_duration("90")->unit, 0);
  for (const char* text : {"", "h", "-1h", "1w", "1hh", "1 h", " 1h", "inf", "nan", "1e3s", "0x10", "+1h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

}  // namespace
}  // namespace conceptd::cli
