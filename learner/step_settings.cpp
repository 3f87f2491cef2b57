#include "learner/step_settings.h"

namespace conceptd::learner {

void StepSettings::read(SettingsReader& reader, int64_t steps_min, int64_t steps_max) {
  reader.whole("steps", steps, steps_min, steps_max);
  reader.whole("batch", batch, 1, 256);
  reader.number("settle", settle, 0, 1);
  reader.number("min_snr", min_snr, 0, 1e6);
  reader.whole("preview_every", preview_every, 0, 10000);
}

void StepSettings::complete(const diffusion::LearningDefaults& base) {
  if (min_snr < 0) min_snr = base.min_snr;
}

void StepSettings::write(nlohmann::json& settings) const {
  settings["steps"] = steps, settings["batch"] = batch, settings["settle"] = settle;
  if (min_snr >= 0) settings["min_snr"] = min_snr;
}

LearningPlan StepSettings::plan(const std::string& method, const std::vector<double>& rates) const {
  return {.method = method, .steps = steps, .rates = rates, .settle = settle, .preview_every = preview_every};
}

}  // namespace conceptd::learner
