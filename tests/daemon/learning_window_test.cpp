// Goal: a window is one a date, whatever the clocks do. Method: dates of Berlin on which they are moved, and a walk
// over two years, minute by minute where it matters.
#include "daemon/learning_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/expect_error.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

LearningWindow window(const std::string& start, const std::string& end, std::vector<std::string> days = {},
                      const std::string& zone = "Europe/Berlin") {
  return *learning_window({.start = start, .end = end, .days = std::move(days), .zone = zone});
}
TimePoint utc(const std::string& text) { return parse_iso8601(text + ":00Z"); }
// "2026-11-23 00:00..05:00" in UTC
std::string shown(const std::optional<Window>& w) {
  if (!w) return "none";
  return to_string(w->date) + " " + to_iso8601(w->begin).substr(11, 5) + ".." + to_iso8601(w->end).substr(11, 5);
}

TEST(LearningWindows, AreOpenFromStartToEnd) {
  const LearningWindow night = window("01:00", "06:00");  // winter: UTC+1
  EXPECT_EQ(shown(night.at(utc("2026-11-22T23:59"))), "none");
  EXPECT_EQ(shown(night.at(utc("2026-11-23T00:00"))), "2026-11-23 00:00..05:00");
  EXPECT_EQ(shown(night.at(utc("2026-11-23T05:00") - 1ms)), "2026-11-23 00:00..05:00");
  EXPECT_EQ(shown(night.at(utc("2026-11-23T05:00"))), "none");
  EXPECT_EQ(shown(night.next(utc("2026-11-23T00:00"))), "2026-11-24 00:00..05:00") << "the open one is not the next";
  EXPECT_EQ(shown(night.last(utc("2026-11-23T12:00"))), "2026-11-23 00:00..05:00");
  EXPECT_EQ(night.length(), 5h);
}

TEST(LearningWindows, GoOnAfterMidnight) {
  const LearningWindow night = window("22:00", "06:00");
  EXPECT_EQ(shown(night.at(utc("2026-11-23T20:59"))), "none");
  EXPECT_EQ(shown(night.at(utc("2026-11-23T21:00"))), "2026-11-23 21:00..05:00");
  EXPECT_EQ(shown(night.at(utc("2026-11-24T04:59"))), "2026-11-23 21:00..05:00") << "it has the date of its evening";
  EXPECT_EQ(shown(night.at(utc("2026-11-24T05:00"))), "none");
  EXPECT_EQ(night.length(), 8h);
}

TEST(LearningWindows, HaveDaysOnWhichTheyBegin) {
  const LearningWindow weekend = window("22:00", "06:00", {"fri", "sat"});  // 2026-11-27 is a Friday
  EXPECT_EQ(shown(weekend.next(utc("2026-11-23T12:00"))), "2026-11-27 21:00..05:00");
  EXPECT_EQ(shown(weekend.at(utc("2026-11-29T04:00"))), "2026-11-28 21:00..05:00") << "Sunday's morning is Saturday's";
  EXPECT_EQ(shown(weekend.at(utc("2026-11-29T22:00"))), "none");
  EXPECT_EQ(shown(weekend.last(utc("2026-11-27T12:00"))), "2026-11-21 21:00..05:00") << "six days back";
}

// Forward on 2026-03-29: 02:00 is 03:00, at 01:00 UTC.
TEST(LearningWindows, LoseWhatTheClocksLeaveOut) {
  EXPECT_EQ(shown(window("01:00", "06:00").at(utc("2026-03-29T02:00"))), "2026-03-29 00:00..04:00");
  EXPECT_EQ(shown(window("02:30", "06:00").at(utc("2026-03-29T02:00"))), "2026-03-29 01:00..04:00");
  EXPECT_EQ(shown(window("01:00", "02:30").at(utc("2026-03-29T00:30"))), "2026-03-29 00:00..01:00");
  EXPECT_EQ(shown(window("02:10", "02:50").at(utc("2026-03-29T01:10"))), "2026-03-29 01:00..01:40")
      << "nothing is left of it, so it has its length from there on";
}

// Back on 2026-10-25: 03:00 is 02:00, at 01:00 UTC.
TEST(LearningWindows, AreHeldOnceWhereTheClocksShowThemTwice) {
  EXPECT_EQ(shown(window("01:00", "06:00").at(utc("2026-10-25T03:00"))), "2026-10-25 23:00..05:00");
  const LearningWindow inside = window("02:10", "02:50");
  EXPECT_EQ(shown(inside.at(utc("2026-10-25T00:20"))), "2026-10-25 00:10..00:50");
  EXPECT_EQ(shown(inside.at(utc("2026-10-25T01:20"))), "none") << "the second 02:20";
  EXPECT_EQ(shown(inside.next(utc("2026-10-25T00:50"))), "2026-10-26 01:10..01:50");
  EXPECT_EQ(shown(window("02:30", "01:00").at(utc("2026-10-25T00:30"))), "2026-10-25 00:30..00:00");
}

TEST(LearningWindows, AreOneADateAndNeverOverlap) {
  for (const auto& [start, end] :
       {std::pair{"01:00", "06:00"}, {"22:00", "06:00"}, {"02:30", "02:00"}, {"02:10", "02:50"}})
    for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"}) {
      const LearningWindow w = window(start, end, {}, zone);
      std::set<std::chrono::local_days> dates;
      Window before = w.next(utc("2026-01-01T00:00"));
      for (int day = 0; day < 730; ++day) {
        EXPECT_TRUE(dates.insert(before.date).second) << zone << " " << shown(before);
        EXPECT_EQ(shown(w.at(before.begin)), shown(before));
        EXPECT_EQ(shown(w.at(before.end - 1ms)), shown(before));
        EXPECT_EQ(shown(w.last(before.end - 1ms)), shown(before)) << "the next begins later";
        const Window next = w.next(before.begin);
        EXPECT_EQ(next.date - before.date, std::chrono::days(1)) << zone << " " << shown(before);
        EXPECT_GE(next.begin, before.end) << zone << " " << shown(before);
        before = next;
      }
    }
}

TEST(LearningWindows, SayWhatIsWrongWithThem) {
  EXPECT_FALSE(learning_window({}));
  const auto refused = [](WindowConfig config, const std::string& why) {
    EXPECT_ERROR(learning_window(config), Code::invalid, why);
  };
  refused({.start = "1:00", .end = "06:00"}, "window.start: '1:00' is no time");
  refused({.start = "01:00"}, "window.end: '' is no time");
  refused({.start = "01:00", .end = "24:00"}, "window.end");
  refused({.start = "01:00", .end = "01:00"}, "another time than it begins");
  refused({.start = "01:00", .end = "06:00", .days = {"Monday"}}, "window.days: 'Monday'");
  refused({.start = "01:00", .end = "06:00", .zone = "Berlin"}, "window.zone: there is no time zone 'Berlin'");
  for (const char* text : {"", "06:60", "6:00", "06.00", "06:00 ", "-6:00", "0a:00"})
    EXPECT_FALSE(parse_time_of_day(text));
}

TEST(LearningWindows, TheNextTimeOfDayIsLater) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(next_time_of_day(berlin, 6h, utc("2026-11-23T04:00")), utc("2026-11-23T05:00"));
  EXPECT_EQ(next_time_of_day(berlin, 6h, utc("2026-11-23T05:00")), utc("2026-11-24T05:00"));
  EXPECT_EQ(next_time_of_day(berlin, 2h + 30min, utc("2026-03-28T23:00")), utc("2026-03-29T01:00"));
}

}  // namespace
}  // namespace conceptd::daemon
