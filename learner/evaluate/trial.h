// One thing, asked for in one way, on the bench: twenty prompts, some seeds each, every measure. A way is a learner
// with settings, or words alone. Legend: b pictures (prompts by seeds), t prompts.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "learner/evaluate/held_out.h"
#include "learner/evaluate/reports.h"
#include "learner/measures/fisher_plan.h"

namespace conceptd::evaluate {

// One prompt and its truth. A companion stands to the right of the thing.
struct TrialPrompt {
  std::string text;  // "a photo of a {} in the snow", "a {} and a red bench on the grass"
  int background = 0;
  std::optional<world::Instance> companion = {};  // shape and first colour are what the prompt says
};
// Twelve of the thing alone and eight with another one beside it, in places that no photo was taken in.
std::vector<TrialPrompt> trial_prompts(const HeldOutCase& held);
inline constexpr int64_t kTrialPromptsAlone = 12;

// What all ways of one thing are held against.
struct TrialReferences {
  References renders;
  Tensor photos_towers;  // (k, p) of the photos that are learnt from
  Tensor plain_towers;   // (b, p) of the base's own pictures of the class word, same prompts and seeds
};

// pictures (b, 3, 64, 64), prompt by prompt, `seeds` of each: identity, found, by_truth, colours off (of the thing
// alone); background, companion (its shape and colour both right), own_colours (both things' shapes and first colours
// right), fidelity (cosine to the prompt with the class word in it), diversity (mean cosine distance of two seeds),
// copy_distance, wasserstein (to the class word's pictures, in the features of the image tower).
nlohmann::json measure_trial(Evaluator& judge, const HeldOutCase& held, const std::vector<TrialPrompt>& prompts,
                             const Tensor& pictures, int64_t seeds, const TrialReferences& references);

// Captions of the world, which name no concept, drawn by the base; the same for all ways and things. bundle: open in
// fp32, alive as long as the plan.
learner::FisherPlan fisher_plan(diffusion::ModelBundle& bundle, int64_t prompts, int64_t timesteps,
                                const Drawing& drawing);

}  // namespace conceptd::evaluate
