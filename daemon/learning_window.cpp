#include "daemon/learning_window.h"

#include <algorithm>

#include "core/error.h"

namespace conceptd::daemon {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr int kDaysLookedAt = 9;  // a week, and one on either side

chrono::local_days date_of(const TimeZone& zone, TimePoint now) { return chrono::floor<chrono::days>(zone.local(now)); }

std::size_t weekday_of(chrono::local_days date) { return chrono::weekday(date).iso_encoding() - 1; }

chrono::minutes time_from(const std::string& text, const char* setting) {
  const auto time = parse_time_of_day(text);
  if (!time) throw Error(Code::invalid, std::string(setting) + ": '" + text + "' is no time; write 01:00 or 23:30");
  return *time;
}

}  // namespace

LearningWindow::LearningWindow(chrono::minutes start, chrono::minutes end, std::array<bool, 7> days, TimeZone zone)
    : start_(start), end_(end), days_(days), zone_(std::move(zone)) {}

chrono::minutes LearningWindow::length() const {
  return end_ > start_ ? end_ - start_ : end_ - start_ + chrono::days(1);
}

std::optional<Window> LearningWindow::on(chrono::local_days date) const {
  if (!days_[weekday_of(date)]) return std::nullopt;
  Window window{.date = date,
                .begin = zone_.first_at(LocalMinute(date) + start_),
                .end = zone_.first_at(LocalMinute(date) + start_ + length())};
  if (window.end <= window.begin) window.end = window.begin + length();
  return window;
}

std::optional<Window> LearningWindow::last(TimePoint now) const {
  const chrono::local_days today = date_of(zone_, now);
  for (int back = -1; back < kDaysLookedAt; ++back)
    if (const auto window = on(today - chrono::days(back)); window && window->begin <= now) return window;
  return std::nullopt;
}

std::optional<Window> LearningWindow::at(TimePoint now) const {
  const auto window = last(now);
  return window && now < window->end ? window : std::nullopt;
}

Window LearningWindow::next(TimePoint now) const {
  const chrono::local_days today = date_of(zone_, now);
  for (int ahead = -1; ahead < kDaysLookedAt; ++ahead)
    if (const auto window = on(today + chrono::days(ahead)); window && window->begin > now) return *window;
  throw Error(Code::internal, "a window without days");
}

std::optional<LearningWindow> learning_window(const WindowConfig& config) {
  if (config.start.empty() && config.end.empty()) return std::nullopt;
  const chrono::minutes start = time_from(config.start, "window.start"), end = time_from(config.end, "window.end");
  if (start == end) throw Error(Code::invalid, "window.end: a window ends at another time than it begins");
  std::array<bool, 7> days{};
  for (const std::string& day : config.days) {
    const auto known = std::find(kDays.begin(), kDays.end(), day);
    if (known == kDays.end())
      throw Error(Code::invalid, "window.days: '" + day + "' is none of mon, tue, wed, thu, fri, sat, sun");
    days[static_cast<std::size_t>(known - kDays.begin())] = true;
  }
  if (config.days.empty()) days.fill(true);
  try {
    return LearningWindow(start, end, days, TimeZone::load(config.zone));
  } catch (const Error& error) {
    throw Error(error.code(), std::string("window.zone: ") + error.what());
  }
}

std::optional<chrono::minutes> parse_time_of_day(const std::string& text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (hour > 23 || minute > 59) return std::nullopt;
  return chrono::hours(hour) + chrono::minutes(minute);
}

TimePoint next_time_of_day(const TimeZone& zone, chrono::minutes time, TimePoint now) {
  for (chrono::local_days date = date_of(zone, now);; date += chrono::days(1))
    if (const TimePoint at = zone.first_at(LocalMinute(date) + time); at > now) return at;
}

}  // namespace conceptd::daemon
