// Generated pictures are a little soft and a little noisy; the evaluator must not care.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::pretrain {

// pictures (b, 3, h, w) in -1..1, each blended with its blur and given noise, both by a share of its own.
inline torch::Tensor roughened(const torch::Tensor& pictures) {
  const auto soft = torch::avg_pool2d(pictures, {3, 3}, {1, 1}, {1, 1}, false, false);
  const auto share = torch::rand({pictures.size(0), 1, 1, 1}) * .7;
  return pictures * (1 - share) + soft * share +
         .08 * torch::rand({pictures.size(0), 1, 1, 1}) * torch::randn_like(pictures);
}

}  // namespace conceptd::pretrain
