// The prompts that a concept is learnt in: half of a step's rows have one of the base's templates ("a {}"), the others
// say where their photo was taken ("a {} on the beach"), so that the concept's word does not learn to.
//
// In "a {}" alone, values and keys come to make up for the missing rest of a prompt, and the thing comes out another
// where there is a rest. A place that the photo does not show is worse still: the word learns to contradict it.
//
// Where a photo was taken is the base's own guess: of the places that its learning.json states, the one in whose prompt
// it denoises the photo's surroundings best, over the same noise for all (Li et al. 2023, "Your Diffusion Model is
// Secretly a Zero-Shot Classifier", arXiv 2303.16203, eq. 4 and section 3.3). A base that states no places has its
// templates alone.
#pragma once
#include "learner/objective.h"
#include "learner/word_embedding.h"

namespace conceptd::learner {

class PhotoPrompts {
 public:
  // said: how the concept is said in a prompt, with {} where the placeholder stands ("{} kettle").
  PhotoPrompts(diffusion::ModelBundle& bundle, const PhotoLatents& photos, const diffusion::NoiseSchedule& schedule,
               const std::string& class_word, std::uint64_t seed, const std::string& said = "{}");

  // Of a step's rows, which prompt each has: (b) int64, into all().
  Tensor rows(int64_t step, const Draw& draw) const;
  const Prompts& all() const { return all_; }          // the templates, then one prompt a place
  const Prompts& plain() const { return plain_; }      // the templates alone, the placeholder as {}
  int64_t passes() const { return passes_; }           // of the denoiser, a picture each, that guessing took
  const Tensor& own_place() const { return places_; }  // (k) int64, of each photo, into all(); undefined: no places

 private:
  Prompts all_, plain_;
  Tensor places_;
  int64_t passes_ = 0;
};

}  // namespace conceptd::learner
