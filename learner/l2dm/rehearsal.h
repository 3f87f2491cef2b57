// What a consolidation rehearses: pictures that each concept's own delta draws, and what the base draws of the class
// words. The teachers never change, so nothing drifts from one night to the next; a concept's candidates depend on its
// delta alone, and only which of them are kept depends on who else is there (rainbow.h).
// Legend: c, s channels and sides of latents, n tokens, w width of the text encoding.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "learner/l2dm/merge.h"

namespace conceptd::learner {

struct RehearsalSettings {
  int64_t candidates = 16;     // drawn of each concept
  int64_t kept = 4;            // of them, where the concept has no photos: else as many as photos
  int64_t class_pictures = 8;  // drawn of each class word
  int64_t picture_steps = 15;
  double likeness = 1;  // the weight of likeness to the photos in the selection
};

// A latent to learn from, and who says what is right there.
struct Rehearsed {
  Tensor latent;                                           // (c, s, s), scaled
  Tensor context;                                          // (n, w) of its prompt, with the concept's word
  Tensor class_context;                                    // (n, w) of the same prompt with the class word
  std::shared_ptr<const diffusion::EditSet> teacher = {};  // null: the base
  int64_t owner = -1;                                      // which member; -1: nobody, a class word alone
};

struct Rehearsal {
  std::vector<std::vector<Rehearsed>> kept;  // of each member
  std::vector<std::vector<Rehearsed>> held;  // candidates that were not kept: for measuring; never empty
  std::vector<Rehearsed> classes;            // of the class words
};

// Features for the selection: the base's own latents, pooled to 4 x 4, about their mean, unit length. (b, c, s, s) ->
// (b, 16 c). Not the judge's features: what is chosen must not please the judge.
Tensor latent_features(const Tensor& latents);

// members: sorted by digest. before_step is called between steps of drawing, never twice at once, and may throw to
// stop. The same on one machine each time.
Rehearsal rehearsal(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                    std::span<const ConsolidationMember> members, const RehearsalSettings& settings,
                    const std::function<void()>& before_step);

}  // namespace conceptd::learner
