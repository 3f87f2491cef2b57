// What the frozen denoiser makes of a noisy picture on its way down: a vector a level.
//
// Source: E4T (arXiv 2302.12228), its project page's figure; which tensors, by a public re-implementation of it
// (yoctta/sd_personalization_encoder), as specified in musar_and_tuning_encoder.md, B3.1.
// Legend: b rows, n text tokens, c text width, s latent side, d width of a level.
#pragma once
#include "diffusion/unet_2d_condition.h"

namespace conceptd::learner {
using torch::Tensor;

// noisy (b, channels, s, s), timesteps (b), empty (n, c): the empty prompt's states -> (b, d) a level, the mean over
// positions of what its block yields. No adaptation and no gradient: this is the model as it is.
std::vector<Tensor> unet_features(diffusion::UNet2DConditionModel& unet, const Tensor& noisy, const Tensor& timesteps,
                                  const Tensor& empty);

}  // namespace conceptd::learner
