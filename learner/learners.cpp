#include "learner/infusion/infusion.h"
#include "learner/learner.h"
#include "learner/lora/lora.h"
#include "learner/perfusion/perfusion.h"
#include "learner/textual_inversion/textual_inversion.h"

namespace conceptd::learner {

std::span<const std::string_view> learner_names() {
  static constexpr std::string_view kNames[] = {"perfusion", "textual_inversion", "infusion", "lora"};
  return kNames;
}

std::unique_ptr<Learner> make_learner(const std::string& method) {
  if (method == "perfusion") return std::make_unique<PerfusionLearner>();
  if (method == "textual_inversion") return std::make_unique<TextualInversionLearner>();
  if (method == "infusion") return std::make_unique<InfusionLearner>();
  if (method == "lora") return std::make_unique<LoraLearner>();
  throw Error(Code::invalid,
              "no method called '" + method + "'; there are perfusion, textual_inversion, infusion and lora", "method");
}

}  // namespace conceptd::learner
