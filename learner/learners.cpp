#include "learner/custom_diffusion/custom_diffusion.h"
#include "learner/infusion/infusion.h"
#include "learner/learner.h"
#include "learner/lora/lora.h"
#include "learner/perfusion/perfusion.h"
#include "learner/textual_inversion/textual_inversion.h"
#include "learner/tuning_encoder/tuning_encoder.h"

namespace conceptd::learner {

std::span<const std::string_view> learner_names() {
  static constexpr std::string_view kNames[] = {"perfusion", "textual_inversion", "infusion",
                                                "lora",      "custom_diffusion",  "tuning_encoder"};
  return kNames;
}

std::unique_ptr<Learner> make_learner(const std::string& method) {
  if (method == "perfusion") return std::make_unique<PerfusionLearner>();
  if (method == "textual_inversion") return std::make_unique<TextualInversionLearner>();
  if (method == "infusion") return std::make_unique<InfusionLearner>();
  if (method == "lora") return std::make_unique<LoraLearner>();
  if (method == "custom_diffusion") return std::make_unique<CustomDiffusionLearner>();
  if (method == "tuning_encoder") return std::make_unique<TuningEncoderLearner>();
  std::string list;
  for (const auto name : learner_names()) list += (list.empty() ? "" : ", ") + std::string(name);
  throw Error(Code::invalid, "no method called '" + method + "'; there are " + list, "method");
}

namespace {
template <class Settings>
nlohmann::json completed(const nlohmann::json& asked, const diffusion::ModelBundle& bundle) {
  auto settings = Settings::from_json(asked);
  settings.complete(bundle.learning);
  return settings.to_json();
}
}  // namespace

nlohmann::json completed_settings(const std::string& method, const nlohmann::json& asked,
                                  const diffusion::ModelBundle& bundle) {
  if (method == "perfusion") return completed<PerfusionSettings>(asked, bundle);
  if (method == "textual_inversion") return completed<TextualInversionSettings>(asked, bundle);
  if (method == "infusion") return completed<InfusionSettings>(asked, bundle);
  if (method == "lora") return completed<LoraSettings>(asked, bundle);
  if (method == "custom_diffusion") return completed<CustomDiffusionSettings>(asked, bundle);
  if (method == "tuning_encoder") return completed<TuningEncoderSettings>(asked, bundle);
  return asked;
}

}  // namespace conceptd::learner
