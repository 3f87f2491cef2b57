// Learns through a folder that keeps what was learnt: a report that was stopped goes on where it was, and a new measure
// needs no new learning. Kept by what was asked for, not by the code that answered: use another folder when that
// changed.
#pragma once
#include <filesystem>

#include "learner/learner.h"

namespace conceptd::evaluate {

struct KeptDelta {
  diffusion::Delta delta;
  double seconds = 0;  // of CPU that learning took, on the day it was done; NaN: nobody has noted it
  double passes = 0;   // of the denoiser, a picture each; NaN as well
};

// `folder` is made where it is missing; empty: nothing is kept. Requests are told apart as run_digest() does.
KeptDelta learn_or_recall(const std::string& method, const learner::LearnRequest& request,
                          learner::LearnContext& context, const std::filesystem::path& folder);

}  // namespace conceptd::evaluate
