// Wall-clock time as a dependency, so that leases, deadlines and learning windows can be tested without waiting.
// Times are UTC milliseconds everywhere: in memory, in the database (INTEGER), and as ISO 8601 on the wire.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace conceptd {

using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;  // callable from any thread
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
};

std::string to_iso8601(TimePoint time);          // "2026-11-21T01:14:05.123Z"
TimePoint parse_iso8601(std::string_view text);  // that form, milliseconds optional; else Error{invalid}
std::int64_t to_unix_ms(TimePoint time);
TimePoint from_unix_ms(std::int64_t ms);

}  // namespace conceptd
