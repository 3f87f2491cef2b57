// A line of progress with its rate and the time that is left.
#pragma once
#include <chrono>
#include <map>
#include <string>

namespace conceptd::pretrain {

class Progress {
 public:
  Progress(std::string stage, int64_t step, int64_t steps);
  void measure(const std::string& name, double value);  // smoothed over about a hundred calls
  // Prints "unet 1200/20000  loss .412  44 img/s  2 h 03 min left" when ten seconds have passed since the last line.
  void advance(int64_t step, int64_t pictures);
  const std::map<std::string, double>& values() const { return values_; }
  double seconds() const;  // since construction

 private:
  using Clock = std::chrono::steady_clock;
  const std::string stage_;
  const int64_t first_, steps_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point printed_ = began_;
  int64_t pictures_ = 0, printed_pictures_ = 0, printed_step_;
  std::map<std::string, double> values_;
};

std::string duration_text(double seconds);  // "2 h 03 min", "41 s"

}  // namespace conceptd::pretrain
