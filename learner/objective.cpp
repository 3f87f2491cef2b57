#include "learner/objective.h"

#include <array>
#include <sstream>

#include "learner/soft_mask.h"

namespace conceptd::learner {

PhotoLatents encode_photos(diffusion::ModelBundle& bundle, const Tensor& photos, const Tensor& masks) {
  torch::NoGradGuard frozen;
  const auto scale = bundle.vae->config.scaling_factor;
  const auto posterior = bundle.vae->encode(photos.to(bundle.compute));
  PhotoLatents latents{posterior.mean.to(torch::kFloat) * scale, posterior.std().to(torch::kFloat) * scale, {}};
  const auto height = latents.mean.size(2), width = latents.mean.size(3);
  const auto where = masks.defined() ? masks.to(torch::kFloat) : soft_masks(photos.to(torch::kFloat));
  latents.mask = torch::adaptive_avg_pool2d(where, {height, width});
  latents.mask = latents.mask / latents.mask.amax({1, 2, 3}, true).clamp_min(1e-6);
  return latents;
}

Draw Draw::rows(int64_t from, int64_t count) const {
  const auto part = [&](const Tensor& all) { return all.defined() ? all.slice(0, from, from + count) : all; };
  return {part(photo), part(noisy), part(target), part(timesteps), part(mask), part(prompt)};
}

Tensor min_snr_weights(const Tensor& snr, double min_snr) { return (snr.clamp_max(min_snr) / (snr + 1)).sqrt(); }

Tensor timestep_weights(const diffusion::NoiseSchedule& schedule, double min_snr) {
  const auto snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod).clamp_min(1e-8);
  const auto weights = min_snr_weights(snr, min_snr);
  return weights / weights.mean();
}

Tensor spread_timesteps(int64_t b, int64_t steps, torch::Generator& random) {
  const auto slice = torch::randperm(b, random).to(torch::kFloat) + torch::rand({b}, random);
  return (slice / static_cast<double>(b) * static_cast<double>(steps)).to(torch::kLong).clamp_max(steps - 1);
}

Draw draw_step(const PhotoLatents& photos, const diffusion::NoiseSchedule& schedule, int64_t b,
               torch::Generator& random, double min_snr) {
  Draw draw;
  const auto k = photos.mean.size(0);
  // Every photo equally often: whole permutations, then a part of one.
  std::vector<Tensor> order;
  for (int64_t have = 0; have < b; have += k) order.push_back(torch::randperm(k, random));
  draw.photo = torch::cat(order).slice(0, 0, b);
  draw.timesteps = spread_timesteps(b, schedule.train_steps(), random);
  const auto mean = photos.mean.index_select(0, draw.photo), std = photos.std.index_select(0, draw.photo);
  const auto latents = mean + std * torch::randn(mean.sizes(), random);
  const auto noise = torch::randn(mean.sizes(), random);
  draw.noisy = schedule.add_noise(latents, noise, draw.timesteps);
  draw.target = schedule.target(latents, noise, draw.timesteps);
  draw.mask = photos.mask.index_select(0, draw.photo);
  if (min_snr > 0)
    draw.mask = draw.mask * timestep_weights(schedule, min_snr).index_select(0, draw.timesteps).view({b, 1, 1, 1});
  return draw;
}

Tensor masked_loss(const Tensor& prediction, const Tensor& target, const Tensor& mask) {
  return (mask * (prediction.to(torch::kFloat) - target).pow(2)).mean();
}

std::vector<std::string> templates_for(const diffusion::ModelBundle& bundle) {
  if (!bundle.learning.templates.empty()) return bundle.learning.templates;
  static constexpr std::array kTemplates{"a photo of a {}",        "a {}",
                                         "a rendering of a {}",    "the photo of a {}",
                                         "a photo of my {}",       "a close-up photo of a {}",
                                         "a bright photo of a {}", "a good photo of a {}",
                                         "a photo of one {}"};
  std::vector<std::string> usable;
  for (const std::string text : kTemplates) {
    std::istringstream words(text);
    bool known = true;
    for (std::string word; words >> word;) known = known && (word == "{}" || bundle.tokenizer.is_single_token(word));
    if (known) usable.push_back(text);
  }
  return usable.empty() ? std::vector<std::string>{"{}"} : usable;
}

}  // namespace conceptd::learner
