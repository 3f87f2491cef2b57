#include "learner/infusion/infusion.h"
#include "learner/learner.h"
#include "learner/perfusion/perfusion.h"
#include "learner/textual_inversion/textual_inversion.h"

namespace conceptd::learner {

std::span<const std::string_view> learner_names() {
  static constexpr std::string_view kNames[] = {"perfusion", "textual_inversion", "infusion"};
  return kNames;
}

std::unique_ptr<Learner> make_learner(const std::string& method) {
  if (method == "perfusion") return std::make_unique<PerfusionLearner>();
  if (method == "textual_inversion") return std::make_unique<TextualInversionLearner>();
  if (method == "infusion") return std::make_unique<InfusionLearner>();
  throw Error(Code::invalid, "no method called '" + method + "'; there are perfusion, textual_inversion and infusion",
              "method");
}

}  // namespace conceptd::learner
