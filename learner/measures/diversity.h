// How much pictures of one prompt differ: mean 1 - cosine of pairs of seeds, over the prompts. Falls where a method
// draws its photos again. Legend: t prompts, n seeds of each, d width of a feature.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

// features (t n, d), unit length, prompt by prompt; of fewer than two seeds it is not a number.
double diversity(const Tensor& features, int64_t seeds);

}  // namespace conceptd::learner
