// Infusion: a residual on the values of every cross-attention at the class word, under the frozen model's own maps.
//
// Zeng et al.: "Infusion: Preventing Customized Text-to-Image Diffusion from Overfitting", 2024 (arXiv 2404.14007).
// Our reconstruction: the paper's text was not available to us, and its released code does something else (see
// kv_residual_released). Equations and numbers: docs/methods/infusion.md.
//
//   paper  here               shape  meaning
//   r_l    residuals          (out)  learned, one a cross-attention; 0 at the start
//   p      Prompts::position  (t)    where the class word stands: the concept has no word of its own
//   F, C   DualStream                the frozen stream lends its maps, the customised one has the residuals
//
// DEVIATES: no flips (a kettle has a side). The loss is masked once (the code's M is squared by its own arithmetic).
// DEVIATES: the rate comes to rest over the last half of the steps; the code's is constant.
// OPEN: whether the paper's loss is masked; the sources' steps (300..1500) and rates (.01, .03) do not agree.
#pragma once
#include "learner/learner.h"
#include "learner/step_settings.h"

namespace conceptd::learner {

struct InfusionSettings : StepSettings {
  InfusionSettings() { steps = 500; }
  double rate = .01, decay = .01;  // AdamW
  // 1: what the authors' released code does in place of the method, for comparison only: residuals on keys too, and no
  // map is shared.
  int64_t kv_residual_released = 0;
  int64_t compact = 0;  // 1: the delta is stored in six bits a value (packed_residuals.h), not for the mode above
  static InfusionSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;                                     // all but the previews
};

class InfusionLearner : public Learner {
 public:
  Learned learn(const LearnRequest& request, LearnContext& context) override;
};

}  // namespace conceptd::learner
