// How strongly, in which direction and how much in one direction alone a neighbourhood of 7 x 7 changes. Without it a
// small net takes tens of thousands of pictures to see that stripes run one way.
//
// Source: Bigun and Granlund 1987, "Optimal orientation detection of linear symmetry".
#pragma once
#include "diffusion/torch.h"

namespace conceptd::learner {

inline constexpr int64_t kStructureChannels = 4;

// pictures (b, 3, h, w) -> (b, kStructureChannels, h, w)
torch::Tensor structure_tensor(const torch::Tensor& pictures);

}  // namespace conceptd::learner
