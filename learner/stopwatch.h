// Time of a learning run: what has passed, and what is likely left. And the check that stops a run where numbers stop
// being numbers.
#pragma once
#include <chrono>

#include "learner/learner.h"

namespace conceptd::learner {

class Stopwatch {
 public:
  explicit Stopwatch(int64_t steps) : steps_(steps) {}
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  LearnProgress after(int64_t step, double loss) const {  // step counts from 0 and is done
    const double left = seconds() / static_cast<double>(step + 1) * static_cast<double>(steps_ - step - 1);
    return {.step = step + 1, .steps = steps_, .loss = loss, .eta_s = left, .preview = {}};
  }

 private:
  using Clock = std::chrono::steady_clock;
  const int64_t steps_;
  const Clock::time_point began_ = Clock::now();
};

inline void check_finite(double loss, int64_t step) {
  if (!std::isfinite(loss)) {
    throw Error(Code::invalid,
                "the loss is not a number at step " + std::to_string(step + 1) + "; learn again with a smaller rate");
  }
}

}  // namespace conceptd::learner
