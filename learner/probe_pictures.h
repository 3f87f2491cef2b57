// The same prompts and seeds drawn in one way after the other, so that ways compare in pairs: by a class word, by a
// description, by a concept.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/delta.h"
#include "diffusion/edits/edits.h"
#include "diffusion/model_bundle.h"

namespace conceptd::learner {
using torch::Tensor;

struct ProbePlan {
  std::vector<std::string> prompts;  // each has one {}
  int64_t seeds = 2;                 // of each prompt, from first_seed on
  std::uint64_t first_seed = 1;
  double steps_share = 1;                  // of the base's own number of steps
  std::function<void()> before_step = {};  // of any picture, never twice at once; throws Error{cancelled} to stop
};

// What a delta changes of this base, with the base's token covariance where it has one.
std::shared_ptr<const diffusion::EditSet> edits_on(const diffusion::ModelBundle& bundle, const diffusion::Delta& delta);

// (prompts by seeds, 3, side, side) in -1..1 with `words` in every gap, by the base's own steps and guidance. The seeds
// of one prompt are one batch, whatever the number of threads.
Tensor probe_pictures(diffusion::ModelBundle& bundle, const ProbePlan& plan, const std::string& words,
                      const std::shared_ptr<const diffusion::EditSet>& edits);

}  // namespace conceptd::learner
