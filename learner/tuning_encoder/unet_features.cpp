#include "learner/tuning_encoder/unet_features.h"

namespace conceptd::learner {

std::vector<Tensor> unet_features(diffusion::UNet2DConditionModel& unet, const Tensor& noisy, const Tensor& timesteps,
                                  const Tensor& empty) {
  const torch::NoGradGuard no_grad;
  diffusion::Adaptation frozen;
  const auto& config = unet->config;
  const auto dtype = unet->conv_in->weight.scalar_type();
  const auto text = empty.to(dtype).unsqueeze(0).expand({noisy.size(0), -1, -1});
  const auto steps = diffusion::timestep_features(timesteps.expand({noisy.size(0)}), config.block_out_channels[0],
                                                  config.flip_sin_to_cos, config.freq_shift);
  const auto time = torch::silu(unet->time_embedding(steps.to(dtype), frozen));
  auto x = diffusion::convolve(unet->conv_in, noisy.to(dtype));
  std::vector<Tensor> skips, levels;
  for (const auto& block : *unet->down_blocks) {
    x = block->as<diffusion::UNetDownBlockImpl>()->forward(x, time, text, frozen, skips);
    levels.push_back(x.mean({2, 3}).to(torch::kFloat));
  }
  return levels;
}

}  // namespace conceptd::learner
