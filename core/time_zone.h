// What a clock on the wall shows: UTC to the civil time of an IANA zone and back, with the machine's own tzdata, so
// that a country that changes its mind is an update of one Debian package. Behind this door stands Abseil (decision
// 0027).
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "core/clock.h"

namespace conceptd {

using LocalTime = std::chrono::local_time<std::chrono::milliseconds>;
using LocalMinute = std::chrono::local_time<std::chrono::minutes>;

class TimeZone {
 public:
  // "Europe/Berlin"; "": the machine's own, $TZ or /etc/localtime. Error{invalid} if there is none of that name.
  static TimeZone load(const std::string& name);

  const std::string& name() const noexcept { return name_; }
  LocalTime local(TimePoint time) const;
  // The first instant at which a clock there shows this minute or a later one. Where the clocks are put forward over
  // it, that is when they are; where they are put back and it comes twice, its first time.
  TimePoint first_at(LocalMinute minute) const;

 private:
  struct Zone;
  TimeZone(std::string name, std::shared_ptr<const Zone> zone) : name_(std::move(name)), zone_(std::move(zone)) {}
  std::string name_;
  std::shared_ptr<const Zone> zone_;
};

std::string to_string(std::chrono::local_days date);  // "2026-11-23"

}  // namespace conceptd
