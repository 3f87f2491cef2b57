// Group normalisation (Wu & He 2018), with or without SiLU behind it, in one pass over channels-last fp32 pictures.
// libtorch 1.13's own is 5-15 times slower in this layout, and SiLU reads and writes everything once more.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::diffusion {

// x (b, channels, height, width), weight and bias (channels) -> like x. Differentiable once in x, weight and bias.
// Statistics in fp32.
Tensor fused_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups, double eps,
                        bool silu);

}  // namespace conceptd::diffusion
