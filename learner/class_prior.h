// Prior preservation, as DreamBooth and Custom Diffusion have it: a rare identifier before the class word, and the
// class's own pictures, drawn by the base before it learns, beside the photos in every step.
//
// Ruiz et al., "DreamBooth", CVPR 2023 (arXiv 2208.12242), sections 3.1 and 3.3.
#pragma once
#include "learner/objective.h"
#include "learner/step_settings.h"
#include "learner/word_embedding.h"

namespace conceptd::learner {

struct PriorSettings {
  double prior_weight = 1;      // of the loss on the class's own pictures; 0: without prior preservation
  int64_t prior_pictures = 16;  // drawn from the base
  void read(SettingsReader& reader);
  void write(nlohmann::json& settings) const;
};

// "sks" where it is a word of the tokenizer, else a row with the token table's own mean and spread: (1, c).
Tensor identifier_row(diffusion::ModelBundle& bundle, torch::Generator& random);

class ClassPrior {
 public:
  // prompts: those in which the class word stands in the placeholder's place. Draws the pictures.
  ClassPrior(diffusion::ModelBundle& bundle, const std::string& class_word, const Prompts& prompts,
             const PriorSettings& prior, const StepSettings& steps, std::uint64_t seed);

  // As many rows of the class join the rows of step `step` and their text states (b, n, c); none where the weight is 0.
  // The mean over both halves is half the sum of their losses, which Adam does not notice.
  void join(Draw& draw, Tensor& states, int64_t step, torch::Generator& random) const;
  int64_t passes() const;  // of the denoiser, a picture each, that drawing the class took
  int64_t passes_a_row() const { return is_on() ? 2 : 1; }  // of the denoiser, for a row of the photos

 private:
  bool is_on() const { return prior_.prior_weight > 0; }
  const Prompts prompts_;
  const PriorSettings prior_;
  const StepSettings steps_;
  const diffusion::NoiseSchedule schedule_;
  PhotoLatents pictures_;
  Tensor states_;  // (t, n, c)
};

}  // namespace conceptd::learner
