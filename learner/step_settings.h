// The settings that every method has which learns in steps.
#pragma once
#include "learner/learning_loop.h"
#include "learner/settings.h"

namespace conceptd::learner {

struct StepSettings {
  int64_t steps = 400, batch = 16;
  double settle = .5;  // share of the steps, the last, over which the rates fall
  // The loss of a timestep is weighed by sqrt(min(SNR, this) / (SNR + 1)), as draw_step() has it; 0: all alike; below
  // 0: as the base says in its learning.json, else all alike.
  double min_snr = -1;
  int64_t preview_every = 100;  // steps, and the last; 0: no previews

  void read(SettingsReader& reader, int64_t steps_min = 1, int64_t steps_max = 10000);
  void complete(const diffusion::LearningDefaults& base);  // with what the base says
  void write(nlohmann::json& settings) const;              // all but the previews
  // rates: one peak rate a parameter group of the optimiser.
  LearningPlan plan(const std::string& method, const std::vector<double>& rates) const;
};

}  // namespace conceptd::learner
