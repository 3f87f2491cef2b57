#include "core/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace conceptd {
namespace {

using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::year;

LocalMinute at(int y, unsigned month, unsigned day, int hour, int minute) {
  return LocalMinute(local_days(year(y) / static_cast<int>(month) / static_cast<int>(day))) + std::chrono::hours(hour) +
         std::chrono::minutes(minute);
}
std::string utc(const TimeZone& zone, LocalMinute minute) { return to_iso8601(zone.first_at(minute)); }

TEST(TimeZones, AreThereByName) {
  EXPECT_EQ(utc(TimeZone::load("UTC"), at(2026, 11, 23, 1, 0)), "2026-11-23T01:00:00.000Z");
  EXPECT_EQ(utc(TimeZone::load("Asia/Kolkata"), at(2026, 11, 23, 1, 0)), "2026-11-22T19:30:00.000Z");
  for (const char* wrong : {"Europe/Berlyn", "/etc/passwd", "../etc/passwd", "Europe/../UTC", "file:/etc/localtime",
                            "localtime", "Europe/Berlin ", "\xff"})
    EXPECT_ERROR(TimeZone::load(wrong), Code::invalid, "no time zone");
  EXPECT_ERROR(TimeZone::load(std::string(10'000, 'a')), Code::invalid, "tzdata");
}

TEST(TimeZones, TheMachinesOwnIsWhatTzSays) {
  const char* before = std::getenv("TZ");
  const std::string kept = before ? before : "";
  ::setenv("TZ", "Asia/Kolkata", 1);
  EXPECT_EQ(TimeZone::load("").name(), "Asia/Kolkata");
  ::setenv("TZ", ":UTC", 1);
  EXPECT_EQ(TimeZone::load("").name(), "UTC");
  before ? ::setenv("TZ", kept.c_str(), 1) : ::unsetenv("TZ");
  EXPECT_NO_THROW(TimeZone::load(""));
}

// Berlin 2026: forward from 02:00 to 03:00 on March 29, back from 03:00 to 02:00 on October 25, both at 01:00 UTC.
TEST(TimeZones, ATimeThatIsLeftOutIsWhenTheClocksAreMoved) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(utc(berlin, at(2026, 3, 29, 1, 59)), "2026-03-29T00:59:00.000Z");
  for (const int minute : {0, 30, 59}) EXPECT_EQ(utc(berlin, at(2026, 3, 29, 2, minute)), "2026-03-29T01:00:00.000Z");
  EXPECT_EQ(utc(berlin, at(2026, 3, 29, 3, 0)), "2026-03-29T01:00:00.000Z");
  EXPECT_EQ(utc(berlin, at(2026, 3, 29, 3, 1)), "2026-03-29T01:01:00.000Z");
}

TEST(TimeZones, ATimeThatComesTwiceIsItsFirst) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(utc(berlin, at(2026, 10, 25, 2, 30)), "2026-10-25T00:30:00.000Z");
  EXPECT_EQ(utc(berlin, at(2026, 10, 25, 3, 0)), "2026-10-25T02:00:00.000Z");
  EXPECT_EQ(berlin.local(parse_iso8601("2026-10-25T00:30:00Z")), at(2026, 10, 25, 2, 30));
  EXPECT_EQ(berlin.local(parse_iso8601("2026-10-25T01:30:00Z")), at(2026, 10, 25, 2, 30));
}

TEST(TimeZones, RulesGoOnBeyondTheTable) {  // the file's table of changes ends in 2037, its rule does not
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(utc(berlin, at(2060, 7, 1, 12, 0)), "2060-07-01T10:00:00.000Z");
  EXPECT_EQ(utc(berlin, at(2060, 1, 1, 12, 0)), "2060-01-01T11:00:00.000Z");
}

TEST(TimeZones, HalfAnHourAndAWholeDayMayBeLeftOut) {
  EXPECT_EQ(utc(TimeZone::load("Australia/Lord_Howe"), at(2026, 10, 4, 2, 15)), "2026-10-03T15:30:00.000Z");
  EXPECT_EQ(utc(TimeZone::load("Pacific/Apia"), at(2011, 12, 30, 12, 0)), "2011-12-30T10:00:00.000Z");
}

TEST(TimeZones, DatesAreWritten) { EXPECT_EQ(to_string(local_days(year(2026) / 3 / 9)), "2026-03-09"); }

}  // namespace
}  // namespace conceptd
