// One set of prompts, pictures and noises for the latent Fisher divergence of many methods: what they move is compared
// on the same draws. Legend: r prompts, k timesteps a prompt.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "learner/measures/fisher_divergence.h"

namespace conceptd::learner {

struct FisherPlanSettings {
  std::vector<std::string> prompts;  // that name no concept; each is a row
  int64_t timesteps = 10;
  int64_t picture_steps = 25;  // with which the base draws their z_0
  double guidance = 1;
  std::uint64_t seed = 0;
  std::function<void()> before_step = {};  // of the drawing; throws Error{cancelled} to stop
};

class FisherPlan {
 public:
  // bundle: open in fp32, else Error{invalid}; alive as long as this.
  FisherPlan(diffusion::ModelBundle& bundle, FisherPlanSettings settings);
  // Of these edits, all of them in force. Null: as the product draws such a prompt, which is 0.
  double divergence(const std::shared_ptr<const diffusion::EditSet>& edits) const;

 private:
  diffusion::ModelBundle& bundle_;
  const std::vector<std::string> prompts_;
  Tensor originals_;  // (r, channels, s, s)
  FisherDraws draws_;
  Tensor frozen_;
};

}  // namespace conceptd::learner
