#include "learner/pretrain/flow.h"

#include <ATen/CPUGeneratorImpl.h>

#include "diffusion/packed_latents.h"
#include "diffusion/schedulers/scheduler.h"
#include "learner/pretrain/frozen_parts.h"

namespace conceptd::pretrain {
using diffusion::FluxPrompt;
using diffusion::FluxTransformer2DModel;

namespace {
constexpr double kUniformShare = .1, kUpper = .6;
}

Tensor flow_times(int64_t b) {
  const auto inner = one_in_each_slice(b).clamp(1e-5, 1 - 1e-5);
  const auto normal = std::sqrt(2.) * torch::erfinv(2 * inner - 1);
  const auto around = torch::sigmoid(std::log(kFlowShift) + normal);
  return torch::where(torch::rand({b}) < kUniformShare, torch::rand({b}), around);
}

FlowLoss flow_loss(FluxTransformer2DModel& model, const Tensor& latents, const FluxPrompt& prompt,
                   diffusion::Adaptation& adapt) {
  const auto b = latents.size(0), height = latents.size(2), width = latents.size(3);
  const auto time = flow_times(b), t = time.view({b, 1, 1, 1});
  const auto noise = torch::randn(latents.sizes());
  const diffusion::FluxInput in{.image = diffusion::pack_latents((1 - t) * latents + t * noise),
                                .text = prompt.text,
                                .pooled = prompt.pooled,
                                .timestep = time,
                                .image_ids = diffusion::patch_ids(height, width),
                                .text_ids = torch::zeros({prompt.text.size(1), 3})};
  const auto error = (model(in, adapt) - diffusion::pack_latents(noise - latents)).pow(2).mean({1, 2});
  const auto plain = error.detach(), upper = (time >= kUpper).to(torch::kFloat);
  const auto mean_over = [&](const Tensor& rows) {
    return ((plain * rows).sum() / rows.sum().clamp_min(1)).item<double>();
  };
  return {error.mean(), mean_over(upper), mean_over(1 - upper)};
}

void begin_weights(FluxTransformer2DModel& model) {
  const torch::NoGradGuard guard;
  for (const auto& item : model->named_modules("", false)) {
    auto* layer = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!layer) continue;
    torch::nn::init::xavier_uniform_(layer->weight);
    layer->bias.zero_();
    const auto& path = item.key();
    const bool embeds = path.starts_with("time_text_embed.");
    const bool modulates = path.ends_with(".norm1.linear") || path.ends_with(".norm1_context.linear") ||
                           path.ends_with(".norm.linear") || path == "norm_out.linear";
    if (embeds) layer->weight.normal_(0, .02);
    if (modulates || path == "proj_out") layer->weight.zero_();
  }
}

Tensor HalfLinears::linear(diffusion::AdaptedLinearImpl& base, const Tensor& x) {
  const auto half = [](const Tensor& t) { return t.to(torch::kBFloat16); };
  return torch::linear(half(x), half(base.weight), half(base.bias)).to(torch::kFloat);
}

Tensor sample_flow(FluxTransformer2DModel& model, const FluxPrompt& prompt, const FluxPrompt& nothing, int64_t side,
                   int64_t steps, double guidance, std::uint64_t seed) {
  const torch::NoGradGuard frozen;
  diffusion::Adaptation base;
  const auto b = prompt.text.size(0), channels = model->config.in_channels / 4;
  const FluxPrompt both{torch::cat({nothing.text.expand_as(prompt.text), prompt.text}),
                        torch::cat({nothing.pooled.expand_as(prompt.pooled), prompt.pooled})};
  const auto config = flow_scheduler_config();
  const auto scheduler = diffusion::make_scheduler(config, {}, diffusion::flux_sampler(config, steps, side * side / 4));
  scheduler->set_timesteps(steps);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  auto x = torch::randn({b, channels, side, side}, generator, torch::kFloat);
  for (int64_t k = 0; k < steps; ++k) {
    const double sigma = scheduler->sigmas()[k].item<double>();
    const auto v = diffusion::flux_velocity(model, both, torch::cat({x, x}), sigma, base).chunk(2);
    x = scheduler->step(v[0] + guidance * (v[1] - v[0]), k, x, {}).sample;
  }
  return x;
}

Json flow_scheduler_config() {
  return {{"_class_name", diffusion::kFlowMatchClass},
          {"num_train_timesteps", 1000},
          {"shift", kFlowShift},
          {"use_dynamic_shifting", false}};
}

}  // namespace conceptd::pretrain
