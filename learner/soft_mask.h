// Where the subject is, guessed from the photo alone: a smooth background is fitted to the border, and what departs
// from it is subject.
//
// DEVIATES: Perfusion takes its soft masks from CLIPSeg, whose weights are third-party data that an on-prem product
// does not fetch. OPEN: on photos with busy backgrounds the guess falls back towards a broad bump in the middle.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

// photos (k, 3, height, width) in -1..1 -> (k, 1, height, width) in 0..1, each photo's largest value is 1.
Tensor soft_masks(const Tensor& photos);

}  // namespace conceptd::learner
