#include "core/clock.h"

#include "core/fake_clock.h"
#include "tests/support/expect_error.h"

namespace conceptd {
namespace {

using namespace std::chrono_literals;

TEST(Clock, WritesUtcIso8601) {
  EXPECT_EQ(to_iso8601(from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(from_unix_ms(1'795'223'645'123)), "2026-11-21T01:14:05.123Z");
  EXPECT_EQ(to_iso8601(from_unix_ms(951'782'400'000)), "2000-02-29T00:00:00.000Z");
}

TEST(Clock, ReadsBackWhatItWrites) {
  for (const std::int64_t ms : {0LL, 1LL, 951'868'799'999LL, 1'795'223'645'123LL, 4'102'444'799'999LL})
    EXPECT_EQ(to_unix_ms(parse_iso8601(to_iso8601(from_unix_ms(ms)))), ms);
  EXPECT_EQ(parse_iso8601("2026-11-21T01:14:05Z"), from_unix_ms(1'795'223'645'000));
}

TEST(Clock, RefusesWhatIsNotATime) {
  for (const char* bad :
       {"", "now", "2026-11-21", "2026-11-21T01:14:05", "2026-11-21 01:14:05Z", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00+0Z", "2026-01-01T00:00:00.12Z", "+026-01-01T00:00:00Z"})
    EXPECT_ERROR(parse_iso8601(bad), Code::invalid, "not a UTC time");
}

TEST(Clock, TheSystemClockIsUtcNow) {
  const TimePoint now = SystemClock().now();
  EXPECT_GT(now, parse_iso8601("2024-01-01T00:00:00Z"));
  EXPECT_LT(std::chrono::abs(std::chrono::system_clock::now() - now), 1min);
}

TEST(Clock, TheFakeOneMovesOnlyWhenTold) {
  FakeClock clock;
  const TimePoint start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(90s);
  EXPECT_EQ(clock.now(), start + 90s);
}

}  // namespace
}  // namespace conceptd
