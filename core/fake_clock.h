// A clock that stands still until a test moves it. It lives beside Clock because every room's tests need it.
#pragma once
#include <atomic>

#include "core/clock.h"

namespace conceptd {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(TimePoint start = from_unix_ms(1'700'000'000'000)) : now_ms_(to_unix_ms(start)) {}
  TimePoint now() const override { return from_unix_ms(now_ms_.load()); }
  void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }
  void set(TimePoint time) { now_ms_ = to_unix_ms(time); }

 private:
  std::atomic<std::int64_t> now_ms_;
};

}  // namespace conceptd
