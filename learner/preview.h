// A small picture of what has been learnt so far, for people who watch.
#pragma once
#include "diffusion/edits/edits.h"
#include "diffusion/model_bundle.h"

namespace conceptd::learner {

// After step `done` of `steps`: every so many steps, and at the last; never where `every` is 0.
inline bool preview_is_due(int64_t done, int64_t steps, int64_t every) {
  return every > 0 && (done % every == 0 || done == steps);
}

// "a photo of a <name>" in a few steps, always from the same noise: (3, height, width) in -1..1.
torch::Tensor preview(diffusion::ModelBundle& bundle, const std::shared_ptr<const diffusion::EditSet>& edits,
                      const std::string& placeholder);

}  // namespace conceptd::learner
