// Custom Diffusion: cross-attention's key and value layers, whole, and a word. What people use to have several concepts
// in one model, and so a comparator of every method here.
//
// Kumari, Zhang, Zhang, Shechtman, Zhu: "Multi-Concept Customization of Text-to-Image Diffusion", CVPR 2023 (arXiv
// 2212.04488), section 3.1; behaviour: adobe-research/custom-diffusion.
//
//   tensor      shape      meaning
//   w           (2, c)     rows of the placeholder: the learned modifier token V*, and the class word's own
//   D.<site>    (out, c)   learned W' - W of every key and value layer, starts at zero
//
// Nothing is merged into the model: W' x is W x + D x (edits.h).
//
// DEVIATES: the class's own pictures are drawn by the base; the authors retrieve 200 real ones (their code has the
// drawn ones as an option). DEVIATES: no augmentation of size, which needs words for it ("zoomed in"). DEVIATES: the
// loss carries the same soft mask as the other methods, and rates come to rest over the last half of the steps.
#pragma once
#include "learner/class_prior.h"
#include "learner/learner.h"

namespace conceptd::learner {

struct CustomDiffusionSettings : StepSettings, PriorSettings {
  double rate = 2e-4;                                                        // of the layers
  double word_rate = 1e-3;                                                   // of the modifier token
  static CustomDiffusionSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;                                            // all but the previews
};

class CustomDiffusionLearner : public Learner {
 public:
  Learned learn(const LearnRequest& request, LearnContext& context) override;
};

}  // namespace conceptd::learner
