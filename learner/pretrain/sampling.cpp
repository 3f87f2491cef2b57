#include "learner/pretrain/sampling.h"

namespace conceptd::pretrain {

Tensor alphas_cumprod() {
  const auto betas = torch::linspace(std::sqrt(.00085), std::sqrt(.012), 1000, torch::kDouble).pow(2);
  return (1 - betas).cumprod(0).to(torch::kFloat);
}

Tensor sample_ddim(diffusion::UNet2DConditionModel& unet, const Tensor& context, const Tensor& empty, int64_t side,
                   int64_t steps, double guidance, std::uint64_t seed) {
  torch::NoGradGuard frozen;
  diffusion::Adaptation base;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  const auto b = context.size(0), channels = unet->config.in_channels;
  auto x = torch::randn({b, channels, side, side}, generator, torch::kFloat);
  const auto alphas = alphas_cumprod();
  const auto both = torch::cat({empty.expand_as(context), context});
  for (int64_t k = steps - 1; k >= 0; --k) {
    const int64_t t = k * 1000 / steps + 1, before = t - 1000 / steps;
    const double a = alphas[t].item<double>(),
                 a_before = before >= 0 ? alphas[before].item<double>() : alphas[0].item<double>();
    const auto v = unet(torch::cat({x, x}), torch::full({2 * b}, t), both, base).chunk(2);
    const auto guided = v[0] + guidance * (v[1] - v[0]);
    const auto clean = std::sqrt(a) * x - std::sqrt(1 - a) * guided,
               noise = std::sqrt(a) * guided + std::sqrt(1 - a) * x;
    x = std::sqrt(a_before) * clean + std::sqrt(1 - a_before) * noise;
  }
  return x;
}

}  // namespace conceptd::pretrain
