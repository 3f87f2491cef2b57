// A plain DDIM sampler for the trainer's own grids (v-prediction, classifier-free guidance); the product's samplers
// live in diffusion/schedulers.
#pragma once
#include "diffusion/unet_2d_condition.h"

namespace conceptd::pretrain {
using torch::Tensor;

Tensor alphas_cumprod();  // (1000) scaled_linear betas, 0.00085 to 0.012

// context (b, n, c), empty (1, n, c) -> latents (b, channels, side, side), scaled as the UNet sees them.
Tensor sample_ddim(diffusion::UNet2DConditionModel& unet, const Tensor& context, const Tensor& empty, int64_t side,
                   int64_t steps, double guidance, std::uint64_t seed);

}  // namespace conceptd::pretrain
