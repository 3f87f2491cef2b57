// DreamBooth with low-rank adapters: what most people use today, and so a comparator of every method here.
//
// Ruiz et al., "DreamBooth", CVPR 2023 (arXiv 2208.12242): a rare identifier before the class word, and the class's own
// pictures, drawn by the base before it learns, as a second half of every step (prior preservation, eq. 2).
// Hu et al., "LoRA", ICLR 2022 (arXiv 2106.09685): W + up down at every attention projection of the denoiser, `up`
// zero at first. Sites, rank and start as in diffusers' train_dreambooth_lora.
//
//   tensor           shape        meaning
//   w                (2, c)       rows of the placeholder: the identifier and the class word; neither is learned
//   down.<site>      (r, in)      learned, starts normal with a spread of 1/r
//   up.<site>        (out, r)     learned, starts at zero
//
// DEVIATES: the loss carries the same soft mask as the other methods, so that a comparison compares methods and not
// masks; no weight decay; rates come to rest over the last half of the steps.
// DEVIATES: where the tokenizer does not know "sks" as one word, the identifier is a row drawn with the token table's
// own mean and spread.
#pragma once
#include "learner/class_prior.h"
#include "learner/learner.h"

namespace conceptd::learner {

struct LoraSettings : StepSettings, PriorSettings {
  int64_t rank = 4;
  double rate = 1e-3;
  static LoraSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;                                 // all but the previews
};

class LoraLearner : public Learner {
 public:
  Learned learn(const LearnRequest& request, LearnContext& context) override;
};

}  // namespace conceptd::learner
