// [window] of the configuration: when the machine may be kept busy with learning. One window a local day, from a time
// on the wall to another, which may be after midnight.
//
// Where the clocks are put forward over an end of the window, that end is the moment they are; over all of it, the
// window begins then and has the length that it has on other days. Where they are put back, each end counts the first
// time that its time is shown. So there is one window a date, whatever the clocks do.
#pragma once
#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "core/time_zone.h"
#include "daemon/config.h"

namespace conceptd::daemon {

// begin <= t < end. date: the local one on which it begins.
struct Window {
  std::chrono::local_days date{};
  TimePoint begin{};
  TimePoint end{};
};

class LearningWindow {
 public:
  LearningWindow(std::chrono::minutes start, std::chrono::minutes end, std::array<bool, 7> days, TimeZone zone);

  std::optional<Window> at(TimePoint now) const;    // the one that is open
  Window next(TimePoint now) const;                 // the first that begins later
  std::optional<Window> last(TimePoint now) const;  // the newest that has begun, within the last eight days
  const TimeZone& zone() const noexcept { return zone_; }
  std::chrono::minutes length() const;  // on a day without change of clocks

 private:
  std::optional<Window> on(std::chrono::local_days date) const;  // empty: not one of its days
  const std::chrono::minutes start_, end_;                       // of the day
  const std::array<bool, 7> days_;                               // Monday first
  const TimeZone zone_;
};

// Empty where the configuration has no window. Error{invalid} that begins with the setting at fault.
std::optional<LearningWindow> learning_window(const WindowConfig& config);

// "06:00" as minutes of the day; empty if it is no such text.
std::optional<std::chrono::minutes> parse_time_of_day(const std::string& text);
// The next instant after now at which a clock of the zone shows this time.
TimePoint next_time_of_day(const TimeZone& zone, std::chrono::minutes time, TimePoint now);

}  // namespace conceptd::daemon
