#include "core/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/error.h"

namespace conceptd {
namespace {

namespace chrono = std::chrono;

// Abseil takes more for a name: paths, and texts without end.
bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' && name != "localtime" &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string name_of_machines_own() {
  if (const char* said = std::getenv("TZ")) {
    const std::string name = *said == ':' ? said + 1 : said;
    return name.empty() ? "UTC" : name;
  }
  std::error_code none;
  const std::string link = std::filesystem::read_symlink("/etc/localtime", none).string();
  constexpr std::string_view kFolder = "zoneinfo/";
  const std::size_t at = link.rfind(kFolder);
  return at == std::string::npos ? "UTC" : link.substr(at + kFolder.size());
}

}  // namespace

struct TimeZone::Zone {
  absl::TimeZone zone;
};

TimeZone TimeZone::load(const std::string& name) {
  const std::string known = name.empty() ? name_of_machines_own() : name;
  absl::TimeZone zone;
  if (!is_name(known) || !absl::LoadTimeZone(known, &zone))
    throw Error(Code::invalid, "there is no time zone '" + known.substr(0, 64) +
                                   "' in this machine's tzdata; it is a name like Europe/Berlin or UTC");
  return {known, std::make_shared<const Zone>(Zone{zone})};
}

LocalTime TimeZone::local(TimePoint time) const {
  const absl::Time instant = absl::FromUnixMillis(to_unix_ms(time));
  return LocalTime(time.time_since_epoch() + chrono::seconds(zone_->zone.At(instant).offset));
}

TimePoint TimeZone::first_at(LocalMinute minute) const {
  const auto day = chrono::floor<chrono::days>(minute);
  const chrono::year_month_day date(day);
  const absl::CivilSecond civil(static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
                                static_cast<int>(static_cast<unsigned>(date.day())), 0, (minute - day).count());
  const absl::TimeZone::TimeInfo info = zone_->zone.At(civil);
  const bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
  return from_unix_ms(absl::ToUnixMillis(skipped ? info.trans : info.pre));
}

std::string to_string(chrono::local_days date) {
  const chrono::year_month_day day(date);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()));
  return text;
}

}  // namespace conceptd
