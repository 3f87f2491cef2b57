#include "core/clock.h"

#include <cstdio>
#include <string>

#include "core/error.h"

namespace conceptd {

namespace chrono = std::chrono;

TimePoint SystemClock::now() const {
  return chrono::time_point_cast<chrono::milliseconds>(chrono::system_clock::now());
}

std::int64_t to_unix_ms(TimePoint time) { return time.time_since_epoch().count(); }
TimePoint from_unix_ms(std::int64_t ms) { return TimePoint(chrono::milliseconds(ms)); }

std::string to_iso8601(TimePoint time) {
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

TimePoint parse_iso8601(std::string_view text) {
  const auto refuse = [&] {
    return Error(Code::invalid, "not a UTC time like 2026-11-21T01:14:05Z: '" + std::string(text.substr(0, 40)) + "'");
  };
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      if (text[i] < '0' || text[i] > '9') throw refuse();
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const bool fraction = text.size() == 24;
  if (!fraction && text.size() != 20) throw refuse();
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text.back() != 'Z' ||
      (fraction && text[19] != '.'))
    throw refuse();
  const chrono::year_month_day date{chrono::year(number(0, 4)), chrono::month(static_cast<unsigned>(number(5, 2))),
                                    chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hours = number(11, 2), minutes = number(14, 2), seconds = number(17, 2);
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) throw refuse();
  return chrono::sys_days(date) + chrono::hours(hours) + chrono::minutes(minutes) + chrono::seconds(seconds) +
         chrono::milliseconds(fraction ? number(20, 3) : 0);
}

}  // namespace conceptd
