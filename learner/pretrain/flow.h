// Flow matching for the embedded MM-DiT: what a step minimises, how the model begins, and how its grids are drawn.
//
// Liu et al. 2022 (arXiv 2209.03003); Esser et al. 2024 (arXiv 2403.03206), §3.1: logit-normal times, shifted as §5.3.2
// shifts them; Peebles and Xie 2023 (arXiv 2212.09748) for the zeroed modulations.
// Legend: b rows, c latent channels, s latent side, n text tokens, w text width.
#pragma once
#include "diffusion/flux_prediction.h"

namespace conceptd::pretrain {
using torch::Tensor;

// What a thing is gets decided at signal-to-noise ratios of .03 to .4 (decision 8), here times of .6 to .85: times are
// drawn around there, and sampling shifts its steps there.
inline constexpr double kFlowShift = 2;

// (b) fp32 in 0..1, one from each of b equal slices of the distribution, in random order: sigmoid(log(shift) + normal)
// nine times in ten, else uniform, so that the ends are seen as well.
Tensor flow_times(int64_t b);

struct FlowLoss {
  Tensor mean;                  // scalar: squared error of the velocity
  double noisy = 0, clean = 0;  // over times above and below .6; 0 where there are none
};
FlowLoss flow_loss(diffusion::FluxTransformer2DModel& model, const Tensor& latents, const diffusion::FluxPrompt& prompt,
                   diffusion::Adaptation& adapt);

// Weights as DiT begins: every block passes its input through and the answer is zero.
void begin_weights(diffusion::FluxTransformer2DModel& model);

// Answers every linear layer in bf16; what comes and goes, and what is learned, stays fp32.
struct HalfLinears : diffusion::Adaptation {
  Tensor linear(diffusion::AdaptedLinearImpl& base, const Tensor& x) override;
};

// text (b, n, w) and pooled (b, w) against those of "" (1, …) -> latents (b, c, side, side), by classifier-free
// guidance.
Tensor sample_flow(diffusion::FluxTransformer2DModel& model, const diffusion::FluxPrompt& prompt,
                   const diffusion::FluxPrompt& nothing, int64_t side, int64_t steps, double guidance,
                   std::uint64_t seed);

Json flow_scheduler_config();  // scheduler_config.json of such a base

}  // namespace conceptd::pretrain
