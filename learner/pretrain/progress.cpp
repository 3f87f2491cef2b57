#include "learner/pretrain/progress.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace conceptd::pretrain {

Progress::Progress(std::string stage, int64_t step, int64_t steps)
    : stage_(std::move(stage)), first_(step), steps_(steps), printed_step_(step) {}

void Progress::measure(const std::string& name, double value) {
  const auto [it, fresh] = values_.try_emplace(name, value);
  if (!fresh) it->second += .01 * (value - it->second);
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

void Progress::advance(int64_t step, int64_t pictures) {
  pictures_ += pictures;
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - printed_).count();
  if (since < 10 && step < steps_) return;
  const double rate = static_cast<double>(pictures_ - printed_pictures_) / since;
  const double step_s = since / static_cast<double>(std::max<int64_t>(1, step - printed_step_));
  std::string line = fmt::format("{} {}/{}", stage_, step, steps_);
  for (const auto& [name, value] : values_) line += fmt::format("  {} {:.4f}", name, value);
  line += fmt::format("  {:.1f} img/s  {} left", rate, duration_text(step_s * static_cast<double>(steps_ - step)));
  std::puts(line.c_str());
  std::fflush(stdout);
  printed_ = now, printed_pictures_ = pictures_, printed_step_ = step;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(seconds);
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

}  // namespace conceptd::pretrain
