// Prior preservation, as DreamBooth and Custom Diffusion have it: a rare identifier before the class word, and the
// class's own pictures, drawn by the base before it learns, beside the photos in every step.
//
// Ruiz et al., "DreamBooth", CVPR 2023 (arXiv 2208.12242), sections 3.1 and 3.3.
#pragma once
#include "learner/objective.h"

namespace conceptd::learner {

// "sks" where it is a word of the tokenizer, else a row with the token table's own mean and spread: (1, c).
Tensor identifier_row(diffusion::ModelBundle& bundle, torch::Generator& random);

// What the frozen base makes of "a <class word>": as latents, all of them the subject.
PhotoLatents class_prior(diffusion::ModelBundle& bundle, const std::string& class_word, int64_t pictures,
                         std::uint64_t seed);

// The rows of `a`, then those of `b`; prompts are the caller's to join.
Draw joined(const Draw& a, const Draw& b);

}  // namespace conceptd::learner
